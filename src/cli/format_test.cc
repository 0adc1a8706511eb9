// Units, tables, JSON and YAML.
#include <gtest/gtest.h>
#include <leman/v1/agent.pb.h>

#include <limits>
#include <sstream>

#include "cli/session.h"
#include "cli/table.h"
#include "cli/test_support.h"
#include "cli/tree.h"
#include "cli/units.h"

namespace leman::cli {
namespace {

TEST(UnitsTest, CountsUseSiPrefixes) {
  EXPECT_EQ(SiCount(0), "0");
  EXPECT_EQ(SiCount(9999), "9999");
  EXPECT_EQ(SiCount(10'000), "10.0k");
  EXPECT_EQ(SiCount(999'499), "999k");
  EXPECT_EQ(SiCount(999'500), "1.00M");
  EXPECT_EQ(SiCount(1'234'567), "1.23M");
  EXPECT_EQ(SiCount(std::numeric_limits<std::uint64_t>::max()), "18.4E");
}

TEST(UnitsTest, BytesUseBinaryPrefixes) {
  EXPECT_EQ(BinaryBytes(0), "0 B");
  EXPECT_EQ(BinaryBytes(1023), "1023 B");
  EXPECT_EQ(BinaryBytes(1024), "1.0 KiB");
  EXPECT_EQ(BinaryBytes(3'565'158), "3.4 MiB");
  EXPECT_EQ(BinaryBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(BinaryBytes(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(UnitsTest, DurationsKeepTwoUnits) {
  EXPECT_EQ(Duration(0), "0s");
  EXPECT_EQ(Duration(0.0023), "2ms");
  EXPECT_EQ(Duration(5.25), "5.2s");
  EXPECT_EQ(Duration(59), "59s");
  EXPECT_EQ(Duration(125), "2m 5s");
  EXPECT_EQ(Duration(93'784), "1d 2h");
  EXPECT_EQ(Duration(-1), "?");
  EXPECT_EQ(Duration(std::numeric_limits<double>::infinity()), "?");
}

TEST(UnitsTest, GroupsRatesAndShares) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1'234'567), "1,234,567");
  EXPECT_EQ(Rate(0), "0/s");
  EXPECT_EQ(Rate(12.34), "12.3/s");
  EXPECT_EQ(Rate(1234.5), "1.23k/s");
  EXPECT_EQ(Percent(0, 100), "0%");
  EXPECT_EQ(Percent(1, 1000), "<1%");
  EXPECT_EQ(Percent(1, 0), "-");
}

Table ExampleTable() {
  Table table({{.title = "NAME", .shrink = true, .min_width = 8},
               {.title = "STATE"},
               {.title = "ADDRESSES", .shrink = true, .min_width = 10, .drop_order = 1},
               {.title = "MAC", .drop_order = 2},
               {.title = "RX", .right = true, .drop_order = 3},
               {.title = "EXTRA", .wide_only = true}});
  table.Add({"vm-1", "active", "10.0.1.10,2001:db8:a::10", "aa:bb:cc:dd:ee:ff", "3.4 MiB", "x"});
  table.Add({"a-rather-long-port-name", "no device", "-", "aa:bb:cc:dd:ee:01", "0 B", "y"});
  return table;
}

std::string Printed(int width, TableOptions options = {}) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err};
  console.width = width;
  ExampleTable().Print(console, options);
  return out.str();
}

TEST(TableTest, WideTerminalShowsEverything) {
  EXPECT_EQ(
      Printed(200),
      R"(NAME                     STATE      ADDRESSES                 MAC                     RX
vm-1                     active     10.0.1.10,2001:db8:a::10  aa:bb:cc:dd:ee:ff  3.4 MiB
a-rather-long-port-name  no device  -                         aa:bb:cc:dd:ee:01      0 B
)");
}

TEST(TableTest, EightyColumnsShortenTheLongest) {
  EXPECT_EQ(Printed(80),
            R"(NAME                 STATE      ADDRESSES             MAC                     RX
vm-1                 active     10.0.1.10,2001:db8:…  aa:bb:cc:dd:ee:ff  3.4 MiB
a-rather-long-port…  no device  -                     aa:bb:cc:dd:ee:01      0 B
)");
}

TEST(TableTest, FortyColumnsDropWhatMattersLeast) {
  EXPECT_EQ(Printed(40), R"(NAME           STATE      ADDRESSES
vm-1           active     10.0.1.10,200…
a-rather-lon…  no device  -
)");
}

TEST(TableTest, NoLineIsLongerThanTheTerminal) {
  for (int width = 24; width <= 120; ++width) {
    std::istringstream lines(Printed(width));
    for (std::string line; std::getline(lines, line);) {
      ASSERT_LE(DisplayWidth(line), width) << line;
      ASSERT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST(TableTest, PipesAndWideOutputAreNeverCut) {
  EXPECT_NE(Printed(0).find("a-rather-long-port-name"), std::string::npos);
  const std::string wide = Printed(20, {.wide = true});
  EXPECT_NE(wide.find("EXTRA"), std::string::npos);
  EXPECT_NE(wide.find("2001:db8:a::10"), std::string::npos);
}

TEST(TableTest, HeadersCanBeLeftOut) {
  EXPECT_EQ(Printed(0, {.headers = false}).substr(0, 4), "vm-1");
}

TEST(TableTest, NamesCannotDriveTheTerminal) {
  std::ostringstream out;
  std::ostringstream err;
  const Console console{out, err};
  Table table({{.title = "NAME"}});
  table.Add({"a\x1b[31mred\n"});
  table.Print(console, {});
  EXPECT_EQ(out.str(), "NAME\na?[31mred?\n");
}

TEST(TableTest, ColoursOnlyWhenTheConsoleHasThem) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err};
  Table table({{.title = "A"}});
  table.Add({Cell("x", Style::kBad)});
  table.Print(console, {.headers = false});
  EXPECT_EQ(out.str(), "x\n");
  console.color = true;
  table.Print(console, {.headers = false});
  EXPECT_EQ(out.str(), "x\n\x1b[31mx\x1b[0m\n");
}

v1::Status ExampleStatus() {
  v1::Status status;
  status.set_host("host-a");
  status.set_state(v1::AGENT_STATE_SNAPSHOT_COMPLETE);
  status.set_degraded(true);
  status.set_revision(18'446'744'073'709'551'615U);
  status.set_uptime_seconds(1.5);
  status.add_underlay_addresses("192.168.1.101");
  status.add_underlay_addresses("2001:db8::101");
  v1::Problem* problem = status.add_problems();
  problem->set_where("port vm-1");
  problem->set_what("yes: \"no\"\n");
  return status;
}

TEST(TreeTest, MessageKeepsNamesNumbersAndZeros) {
  const Tree tree = ToTree(ExampleStatus());
  EXPECT_EQ(tree["revision"], 18'446'744'073'709'551'615U);
  EXPECT_TRUE(tree["revision"].is_number_unsigned());
  EXPECT_EQ(tree["state"], "snapshot_complete");
  EXPECT_EQ(tree["udp_port"], 0);
  EXPECT_EQ(tree["underlay_device"], "");
  EXPECT_EQ(tree["maps"], Tree::array());
  EXPECT_EQ(tree["problems"][0]["where"], "port vm-1");
  EXPECT_EQ(tree.begin().key(), "host");  // the order of the contract, not of the alphabet
}

TEST(TreeTest, JsonGolden) {
  v1::Problem problem;
  problem.set_where("port \xff");
  problem.set_what("gone");
  EXPECT_EQ(ToJson(Tree::array({ToTree(problem)})),
            "[\n  {\n    \"where\": \"port \xEF\xBF\xBD\",\n    \"what\": \"gone\"\n  }\n]\n");
  EXPECT_EQ(ToJsonLine({{"a", 1}, {"b", {1, 2}}}), "{\"a\":1,\"b\":[1,2]}\n");
}

TEST(TreeTest, YamlGolden) {
  EXPECT_EQ(ToYaml({{"host", "host-a"},
                    {"ready", true},
                    {"count", 3},
                    {"nothing", Tree::array()},
                    {"mac", "0a:bb:cc:dd:ee:ff"},
                    {"word", "yes"},
                    {"text", "two: \"words\"\n"},
                    {"ports", Tree::array({{{"name", "vm-1"}, {"addresses", {"10.0.1.10"}}},
                                           {{"name", "vm-2"}, {"traffic", {{"rx", 1}}}}})}}),
            R"(host: host-a
ready: true
count: 3
nothing: []
mac: "0a:bb:cc:dd:ee:ff"
word: "yes"
text: "two: \"words\"\n"
ports:
- name: vm-1
  addresses:
  - "10.0.1.10"
- name: vm-2
  traffic:
    rx: 1
)");
  EXPECT_EQ(ToYaml(Tree::array()), "[]\n");
  EXPECT_EQ(ToYaml(Tree::array({1, {{"a", 2}}})), "- 1\n- a: 2\n");
}

// No plain word that a reader could take for a number.
TEST(TreeTest, YamlReadsBack) {
  Tree tree = ToTree(ExampleStatus());
  tree["odd"] = {"",     "-",     "a: b", "# no", "true", "Null", "1e3", "0x10",
                 "a #b", " lead", "end ", "a:",   "~",    "{x}",  "[y]", "*z",
                 "&w",   "!t",    "%d",   "@e",   "`f",   "a\tb", "é",   "10:20:30"};
  tree["list"] = Tree::array({Tree::array({1, 2}), Tree::object()});
  const std::vector<std::string> expected = Scalars(tree);
  const std::string text = ToYaml(tree);
  EXPECT_EQ(YamlScalars(text), expected) << text;
}

TEST(SuggestTest, OnlyWhatIsNear) {
  const std::vector<std::string> known = {"ports", "peers", "status"};
  EXPECT_EQ(Suggest("prots", known), "");  // two steps in five letters is too far
  EXPECT_EQ(Suggest("port", known), "; did you mean 'ports'?");
  EXPECT_EQ(Suggest("statsu", known), "; did you mean 'status'?");
  EXPECT_EQ(Suggest("xyzzy", known), "");
  EXPECT_EQ(Suggest("a", {}), "");
}

}  // namespace
}  // namespace leman::cli
