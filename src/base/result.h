// The one error type of the project and the Result built on libgeneve's.
//
// Threads: values, no sharing. Ownership: an Error owns its text.
// A message says what failed, where, and the way out; `code` decides exit status and gRPC status.
#pragma once

#include <geneve/result.h>

#include <string>
#include <string_view>
#include <utility>

namespace leman {

// Maps one to one to a gRPC status code.
enum class Code {
  kInvalidArgument,     // the caller's input is wrong; the message names the place
  kNotFound,            // a device, object or file is not there
  kAlreadyExists,       // another agent, a busy UDP port
  kPermissionDenied,    // not root, a capability is missing
  kResourceExhausted,   // a map is full
  kFailedPrecondition,  // the kernel lacks a feature, other maps are pinned, a file is busy
  kUnavailable,         // the other side does not answer
  kInternal,            // the kernel refused what should work; errno is in the message
};

[[nodiscard]] std::string_view CodeName(Code code);

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  // The same error seen from one level up: "context: message".
  [[nodiscard]] Error In(std::string_view context) const {
    return {code_, std::string(context) + ": " + message_};
  }

 private:
  Code code_;
  std::string message_;
};

// An error from errno: "what: strerror(err)", with the code that fits the errno.
[[nodiscard]] Error ErrnoError(int err, std::string_view what);

template <class T>
using Result = geneve::Result<T, Error>;
using Status = Result<void>;
using Unexpected = geneve::Unexpected<Error>;

// `return Fail(Code::kNotFound, "…")` in any function that returns a Result.
[[nodiscard]] inline Unexpected Fail(Code code, std::string message) {
  return Unexpected(Error(code, std::move(message)));
}
[[nodiscard]] inline Unexpected Fail(Error error) { return Unexpected(std::move(error)); }

}  // namespace leman

#define LEMAN_CONCAT_INNER(a, b) a##b
#define LEMAN_CONCAT(a, b) LEMAN_CONCAT_INNER(a, b)

// Returns the error of a Status to the caller.
#define LEMAN_TRY(expr)                                           \
  do {                                                            \
    if (auto leman_try_status = (expr); !leman_try_status.ok()) { \
      return ::leman::Fail(std::move(leman_try_status).error());  \
    }                                                             \
  } while (false)

// Evaluates a Result<T>; returns its error, or assigns its value to `lhs`, which may be a
// declaration. NOLINTBEGIN(bugprone-macro-parentheses)
#define LEMAN_ASSIGN_OR_RETURN(lhs, expr) \
  LEMAN_ASSIGN_OR_RETURN_INNER(LEMAN_CONCAT(leman_result_, __LINE__), lhs, expr)
#define LEMAN_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) {                                   \
    return ::leman::Fail(std::move(tmp).error());    \
  }                                                  \
  lhs = std::move(tmp).value()
// NOLINTEND(bugprone-macro-parentheses)
