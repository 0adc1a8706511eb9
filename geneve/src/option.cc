#include "geneve/option.h"

namespace geneve {

size_t OptionRange::Count() const {
  size_t n = 0;
  for (OptionIterator it = begin(); it != end(); ++it) ++n;
  return n;
}

size_t OptionRange::Count(OptionKey key) const {
  size_t n = 0;
  for (const OptionView option : *this) n += option.key() == key ? 1 : 0;
  return n;
}

std::optional<OptionView> OptionRange::Find(OptionKey key) const {
  std::optional<OptionView> found;
  for (const OptionView option : *this) {
    if (option.key() == key) found = option;
  }
  return found;
}

std::optional<OptionView> OptionRange::FindFirst(OptionKey key) const {
  for (const OptionView option : *this) {
    if (option.key() == key) return option;
  }
  return std::nullopt;
}

bool OptionRange::HasCritical() const {
  for (const OptionView option : *this) {
    if (option.critical()) return true;
  }
  return false;
}

bool OptionRange::HasDuplicates() const {
  // Quadratic over at most 63 options; only tools ask.
  for (OptionIterator a = begin(); a != end(); ++a) {
    OptionIterator b = a;
    for (++b; b != end(); ++b) {
      if ((*a).key() == (*b).key()) return true;
    }
  }
  return false;
}

std::optional<DecodeError> OptionRange::error() const {
  OptionIterator it = begin();
  while (it != end()) ++it;
  if (it.rest().empty()) return std::nullopt;
  return DecodeError{Reason::kOptLen, static_cast<uint32_t>(it.offset())};
}

}  // namespace geneve
