#include "packet_case.h"

namespace leman::packet_test {
namespace {

using NeighbourTable = PacketCaseTest;
TEST_P(NeighbourTable, IsAnsweredAsTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(Neighbour, NeighbourTable, testing::ValuesIn(LoadCases("neighbour")),
                         CaseName);

}  // namespace
}  // namespace leman::packet_test
