#include "geneve/ecn.h"

namespace geneve {

std::string_view EcnName(Ecn ecn) {
  switch (ecn) {
    case Ecn::kNotEct:
      return "Not-ECT";
    case Ecn::kEct1:
      return "ECT(1)";
    case Ecn::kEct0:
      return "ECT(0)";
    case Ecn::kCe:
      return "CE";
  }
  return "?";
}

EcnDecision DecapsulateEcn(Ecn inner, Ecn outer) {
  EcnDecision decision{.inner = inner};
  switch (inner) {
    case Ecn::kNotEct:
      // The sender cannot react to a mark, so a mark from the underlay must become a loss.
      decision.drop = outer == Ecn::kCe;
      if (outer != Ecn::kNotEct) decision.alarm = EcnAlarm::kAlways;
      break;
    case Ecn::kEct0:
      if (outer == Ecn::kCe || outer == Ecn::kEct1) decision.inner = outer;
      break;
    case Ecn::kEct1:
      if (outer == Ecn::kCe) decision.inner = outer;
      if (outer == Ecn::kEct0) decision.alarm = EcnAlarm::kPossible;
      break;
    case Ecn::kCe:
      if (outer == Ecn::kEct1) decision.alarm = EcnAlarm::kAlways;
      break;
  }
  return decision;
}

}  // namespace geneve
