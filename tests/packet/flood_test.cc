#include "packet_case.h"

namespace leman::packet_test {
namespace {

using FloodTable = PacketCaseTest;
TEST_P(FloodTable, GoesWhereTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(Flood, FloodTable, testing::ValuesIn(LoadCases("flood")), CaseName);

}  // namespace
}  // namespace leman::packet_test
