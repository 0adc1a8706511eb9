#include "base/result.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace leman {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kNotFound:
      return "not found";
    case Code::kAlreadyExists:
      return "already exists";
    case Code::kPermissionDenied:
      return "permission denied";
    case Code::kResourceExhausted:
      return "resource exhausted";
    case Code::kFailedPrecondition:
      return "failed precondition";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

Error ErrnoError(int err, std::string_view what) {
  Code code = Code::kInternal;
  switch (err) {
    case EPERM:
    case EACCES:
      code = Code::kPermissionDenied;
      break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      code = Code::kNotFound;
      break;
    case EEXIST:
    case EADDRINUSE:
    case EBUSY:
      code = Code::kAlreadyExists;
      break;
    case E2BIG:
    case ENOSPC:
    case ENOMEM:
      code = Code::kResourceExhausted;
      break;
    case ECONNREFUSED:
    case ETIMEDOUT:
      code = Code::kUnavailable;
      break;
    default:
      break;
  }
  return {code, std::string(what) + ": " + std::generic_category().message(err)};
}

}  // namespace leman
