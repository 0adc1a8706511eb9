#include "model/yaml_tree.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <utility>

namespace leman::model {

namespace {

class Parser {
 public:
  Parser() : ready_(yaml_parser_initialize(&parser_) != 0) {}
  ~Parser() {
    if (ready_) {
      yaml_parser_delete(&parser_);
    }
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  [[nodiscard]] bool ready() const { return ready_; }
  yaml_parser_t* get() { return &parser_; }

 private:
  yaml_parser_t parser_{};
  bool ready_;
};

class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  yaml_event_t* get() { return &event_; }
  yaml_event_t* operator->() { return &event_; }

 private:
  yaml_event_t event_{};
};

std::size_t LineOf(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

}  // namespace

// Turns libyaml's events into nodes.
class YamlTreeBuilder {
 public:
  YamlTreeBuilder(std::string_view file_name, std::string_view text)
      : file_name_(file_name), input_(text) {}

  Result<YamlTree> Build() {
    if (input_.size() > YamlTree::kMaxTextBytes) {
      return Fault(1, fmt::format("the file has {} bytes; at most {} are read", input_.size(),
                                  YamlTree::kMaxTextBytes));
    }
    Parser parser;
    if (!parser.ready()) {
      return Fail(Code::kResourceExhausted, "no memory for the YAML parser");
    }
    // Said, not guessed: a guess would take a stray byte order mark for UTF-16.
    yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        parser.get(), reinterpret_cast<const unsigned char*>(input_.data()), input_.size());
    for (bool more = true; more;) {
      Event event;
      if (yaml_parser_parse(parser.get(), event.get()) == 0) {
        return SyntaxFault(*parser.get());
      }
      more = event->type != YAML_STREAM_END_EVENT;
      LEMAN_TRY(Take(*event.get()));
    }
    return std::move(tree_);
  }

 private:
  struct Open {
    YamlTree::NodeId node = YamlTree::kNone;
    YamlTree::NodeId last_child = YamlTree::kNone;
  };

  Unexpected Fault(std::size_t line, std::string_view what) const {
    return Fail(Code::kInvalidArgument, fmt::format("{}:{}: {}", file_name_, line, what));
  }

  Unexpected SyntaxFault(const yaml_parser_t& parser) const {
    const char* problem = parser.problem == nullptr ? "cannot be read" : parser.problem;
    if (parser.error == YAML_READER_ERROR) {
      return Fault(LineOf(input_, parser.problem_offset),
                   fmt::format("not UTF-8 text: {} at byte {}; save the file as UTF-8", problem,
                               parser.problem_offset));
    }
    std::string what = fmt::format("not YAML: {}", problem);
    if (parser.context != nullptr) {
      what +=
          fmt::format(" {} that began on line {}", parser.context, parser.context_mark.line + 1);
    }
    return Fault(parser.problem_mark.line + 1,
                 what + "; check indentation, brackets and quotes up to here");
  }

  Status Take(const yaml_event_t& event) {
    const std::size_t line = event.start_mark.line + 1;
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (std::exchange(document_seen_, true)) {
          return Fault(line,
                       "a second document begins; one file holds one document, remove \"---\"");
        }
        return {};
      case YAML_ALIAS_EVENT:
        return Fault(line, "aliases (*name) are not allowed; write the value out");
      case YAML_SCALAR_EVENT:
        LEMAN_TRY(CheckProperties(line, event.data.scalar.anchor, event.data.scalar.tag));
        return TakeScalar(line, event);
      case YAML_SEQUENCE_START_EVENT:
        LEMAN_TRY(
            CheckProperties(line, event.data.sequence_start.anchor, event.data.sequence_start.tag));
        return TakeOpening(line, YamlTree::Kind::kSequence);
      case YAML_MAPPING_START_EVENT:
        LEMAN_TRY(
            CheckProperties(line, event.data.mapping_start.anchor, event.data.mapping_start.tag));
        return TakeOpening(line, YamlTree::Kind::kMapping);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        open_.pop_back();
        return {};
      default:
        return {};
    }
  }

  Status CheckProperties(std::size_t line, const yaml_char_t* anchor,
                         const yaml_char_t* tag) const {
    if (anchor != nullptr) {
      return Fault(line, "anchors (&name) are not allowed; write the value out where it is used");
    }
    if (tag != nullptr) {
      return Fault(line, "tags (!name) are not allowed; write the plain value");
    }
    return {};
  }

  Status TakeScalar(std::size_t line, const yaml_event_t& event) {
    const std::size_t size = event.data.scalar.length;
    if (size > YamlTree::kMaxScalarBytes) {
      return Fault(line, fmt::format("a value of {} bytes; no value is longer than {}", size,
                                     YamlTree::kMaxScalarBytes));
    }
    LEMAN_TRY(Add(line, YamlTree::Kind::kScalar));
    YamlTree::Node& node = tree_.nodes_.back();
    node.text_begin = static_cast<std::uint32_t>(tree_.text_.size());
    node.size = static_cast<std::uint32_t>(size);
    node.plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    tree_.text_.append(reinterpret_cast<const char*>(event.data.scalar.value), size);
    return {};
  }

  Status TakeOpening(std::size_t line, YamlTree::Kind kind) {
    if (open_.size() >= YamlTree::kMaxDepth) {
      return Fault(line, fmt::format("nested deeper than {} levels; a state file needs at most 6",
                                     YamlTree::kMaxDepth));
    }
    LEMAN_TRY(Add(line, kind));
    open_.push_back({.node = static_cast<YamlTree::NodeId>(tree_.nodes_.size() - 1)});
    return {};
  }

  Status Add(std::size_t line, YamlTree::Kind kind) {
    if (tree_.nodes_.size() >= YamlTree::kMaxNodes) {
      return Fault(line, fmt::format("more than {} values; one host cannot need as many",
                                     YamlTree::kMaxNodes));
    }
    const auto id = static_cast<YamlTree::NodeId>(tree_.nodes_.size());
    YamlTree::Node node;
    node.line = static_cast<std::uint32_t>(line);
    node.kind = kind;
    tree_.nodes_.push_back(node);
    if (open_.empty()) {
      tree_.root_ = id;
      return {};
    }
    Open& parent = open_.back();
    if (parent.last_child == YamlTree::kNone) {
      tree_.nodes_[parent.node].first_child = id;
    } else {
      tree_.nodes_[parent.last_child].next = id;
    }
    parent.last_child = id;
    ++tree_.nodes_[parent.node].size;
    return {};
  }

  std::string_view file_name_;
  std::string_view input_;
  YamlTree tree_;
  std::vector<Open> open_;
  bool document_seen_ = false;
};

Result<YamlTree> YamlTree::Parse(std::string_view file_name, std::string_view text) {
  return YamlTreeBuilder(file_name, text).Build();
}

}  // namespace leman::model
