#include "packet_case.h"

namespace leman::packet_test {
namespace {

using PortSecurityTable = PacketCaseTest;
TEST_P(PortSecurityTable, SpeaksOnlyAsItself) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(PortSecurity, PortSecurityTable,
                         testing::ValuesIn(LoadCases("port_security")), CaseName);

}  // namespace
}  // namespace leman::packet_test
