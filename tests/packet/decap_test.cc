#include "packet_case.h"

namespace leman::packet_test {
namespace {

using DecapTable = PacketCaseTest;
TEST_P(DecapTable, IsDeliveredAsTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(Decap, DecapTable, testing::ValuesIn(LoadCases("decap")), CaseName);

}  // namespace
}  // namespace leman::packet_test
