#include "geneve/error.h"

namespace geneve {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
#define GENEVE_REASON_NAME(enumerator, name, text) \
  case Reason::enumerator:                         \
    return name;
    GENEVE_REASONS(GENEVE_REASON_NAME)
#undef GENEVE_REASON_NAME
  }
  return "?";
}

std::string_view ReasonText(Reason reason) {
  switch (reason) {
#define GENEVE_REASON_TEXT(enumerator, name, text) \
  case Reason::enumerator:                         \
    return text;
    GENEVE_REASONS(GENEVE_REASON_TEXT)
#undef GENEVE_REASON_TEXT
  }
  return "?";
}

}  // namespace geneve
