#include "packet_case.h"
#include "tunnel_packet.h"

namespace leman::packet_test {
namespace {

using EncapTable = PacketCaseTest;
TEST_P(EncapTable, LeavesAsTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(Encap, EncapTable, testing::ValuesIn(LoadCases("encap")), CaseName);

}  // namespace
}  // namespace leman::packet_test
