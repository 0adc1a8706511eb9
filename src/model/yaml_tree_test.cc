#include "model/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace leman::model {
namespace {

TEST(YamlTree, KeepsOrderKindsAndLines) {
  const auto tree = YamlTree::Parse("f", "a: 1\nb:\n  - \"x\"\n  - [p, q]\n");
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  const YamlTree& t = tree.value();
  ASSERT_EQ(t.kind(t.root()), YamlTree::Kind::kMapping);
  EXPECT_EQ(t.child_count(t.root()), 4U);
  const auto a = t.first_child(t.root());
  EXPECT_EQ(t.text(a), "a");
  const auto one = t.next(a);
  EXPECT_EQ(t.text(one), "1");
  EXPECT_TRUE(t.plain(one));
  const auto list = t.next(t.next(one));
  ASSERT_EQ(t.kind(list), YamlTree::Kind::kSequence);
  const auto x = t.first_child(list);
  EXPECT_EQ(t.text(x), "x");
  EXPECT_FALSE(t.plain(x));
  EXPECT_EQ(t.line(x), 3U);
  const auto inner = t.next(x);
  EXPECT_EQ(t.line(inner), 4U);
  EXPECT_EQ(t.text(t.next(t.first_child(inner))), "q");
  EXPECT_EQ(t.next(inner), YamlTree::kNone);
}

TEST(YamlTree, AnEmptyDocumentHasNoRoot) {
  for (const std::string text : {"", "\n\n", "# only a comment\n"}) {
    const auto tree = YamlTree::Parse("f", text);
    ASSERT_TRUE(tree.ok());
    EXPECT_EQ(tree.value().root(), YamlTree::kNone);
  }
}

struct Case {
  std::string text;
  std::string message;
};

class YamlTreeRefuses : public testing::TestWithParam<Case> {};

TEST_P(YamlTreeRefuses, WithLineAndWayOut) {
  const auto tree = YamlTree::Parse("f.yaml", GetParam().text);
  ASSERT_FALSE(tree.ok());
  EXPECT_EQ(tree.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(tree.error().message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, YamlTreeRefuses,
    testing::Values(
        Case{"a: &x 1\nb: 2\n",
             "f.yaml:1: anchors (&name) are not allowed; write the value out where it is used"},
        Case{"a: 1\nb: *x\n", "f.yaml:2: aliases (*name) are not allowed; write the value out"},
        Case{"a: !!binary aGVsbG8=\n",
             "f.yaml:1: tags (!name) are not allowed; write the plain value"},
        Case{"a: 1\n---\nb: 2\n",
             "f.yaml:2: a second document begins; one file holds one document, remove \"---\""},
        Case{"a:\n  [1, 2\nb: 3\n",
             "f.yaml:3: not YAML: did not find expected ',' or ']' while parsing a flow sequence "
             "that began on line 2; check indentation, brackets and quotes up to here"},
        Case{"a: \"never closed\n",
             "f.yaml:2: not YAML: found unexpected end of stream while scanning a quoted scalar "
             "that "
             "began on line 1; check indentation, brackets and quotes up to here"},
        Case{"a: 1\nb: \xff\xfe\n",
             "f.yaml:2: not UTF-8 text: invalid leading UTF-8 octet at byte 8; save the file as "
             "UTF-8"},
        Case{
            std::string("a: 1\nb: \0\n", 10),
            "f.yaml:2: not UTF-8 text: control characters are not allowed at byte 8; save the file "
            "as UTF-8"},
        Case{"a:\n  " + std::string(200, '['),
             "f.yaml:2: nested deeper than 16 levels; a state file needs at most 6"},
        Case{"a: " + std::string(5000, 'x'),
             "f.yaml:1: a value of 5000 bytes; no value is longer than 4096"}));

TEST(YamlTree, RefusesMoreNodesThanAnyHostNeeds) {
  std::string text = "[";
  for (std::size_t i = 0; i < YamlTree::kMaxNodes; ++i) {
    text += "a,";
  }
  text += "]";
  const auto tree = YamlTree::Parse("f", text);
  ASSERT_FALSE(tree.ok());
  EXPECT_THAT(tree.error().message(), testing::HasSubstr("more than 4194304 values"));
}

}  // namespace
}  // namespace leman::model
