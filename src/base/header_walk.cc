#include "base/header_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace leman {

PacketField& HeaderWalk::Layer(std::string key, std::string label) {
  PacketField layer;
  layer.key = std::move(key);
  layer.label = std::move(label);
  layer.offset = at_;
  text_.layers.push_back(std::move(layer));
  return text_.layers.back();
}

bool HeaderWalk::Need(std::size_t count, const std::string& what) {
  if (rest_.size() >= count) {
    return true;
  }
  PacketField& layer = Layer("cut", what);
  layer.text = fmt::format("cut: {} of {} bytes", rest_.size(), count);
  layer.value = layer.text;
  if (text_.transport.empty()) {
    text_.transport = what + " cut";
  }
  return false;
}

void HeaderWalk::Skip(std::size_t count) {
  count = std::min(count, rest_.size());
  rest_ = rest_.subspan(count);
  at_ += count;
}

void HeaderWalk::Limit(std::size_t count) {
  if (rest_.size() > count) {
    rest_ = rest_.first(count);
  }
}

void HeaderWalk::Data(const std::string& what) {
  PacketField& layer = Layer("data", what);
  layer.text = fmt::format("{} bytes", rest_.size());
  if (!rest_.empty()) {
    const std::size_t shown = std::min<std::size_t>(rest_.size(), 16);
    layer.text += ": " + HexText(rest_.first(shown)) + (shown < rest_.size() ? "..." : "");
  }
  layer.value = HexText(rest_.first(std::min<std::size_t>(rest_.size(), 128)));
}

}  // namespace leman
