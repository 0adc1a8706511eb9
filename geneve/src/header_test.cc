#include "geneve/header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vector_file.h"

namespace geneve {
namespace {

using testing::FromHex;
using testing::TestVector;
using testing::VectorById;

// The GENEVE message of a packet: its UDP payload.
std::vector<uint8_t> Message(const std::string& id) {
  const TestVector& vector = VectorById(id);
  const size_t udp = vector.frame[12] == 0x08 ? 34 : 54;
  const size_t length = LoadBe16(&vector.frame[udp + 4]);
  return {vector.frame.begin() + static_cast<ptrdiff_t>(udp + 8),
          vector.frame.begin() + static_cast<ptrdiff_t>(udp + length)};
}

DecodeError ErrorOf(ByteSpan message, const DecodePolicy& policy = {}) {
  const auto header = DecodeHeader(message, policy);
  EXPECT_FALSE(header.ok());
  return header.ok() ? DecodeError{} : header.error();
}

OptionSet Knowing(OptionKey key, LengthSet lengths) {
  OptionSet set;
  EXPECT_TRUE(set.Add(key, lengths).ok());
  return set;
}

const OptionSet kCriticalKnown = Knowing({0xFF00, 0x81}, *LengthSet::Of({4}));

// G-3.4-08: every length below 8.
TEST(Header, ShortHeaderIsRefused) {
  const std::vector<uint8_t> message = Message("B02");
  for (size_t size = 0; size < 8; ++size) {
    EXPECT_EQ(ErrorOf(ByteSpan(message).first(size)),
              (DecodeError{Reason::kShortHdr, static_cast<uint32_t>(size)}));
  }
  EXPECT_TRUE(DecodeHeader(ByteSpan(message).first(8)).ok());
}

// G-3.4-02: every version but 0, and before any other field (Q01, CH-16).
TEST(Header, UnknownVersionIsRefused) {
  std::vector<uint8_t> message = Message("B02");
  for (const unsigned version : {1u, 2u, 3u}) {
    for (const unsigned words : {0u, 63u}) {
      message[0] = static_cast<uint8_t>(version << 6 | words);
      EXPECT_EQ(ErrorOf(message), (DecodeError{Reason::kVersion, 0}));
    }
  }
}

// G-3.4-04, G-3.4-05, G-3.4-06: Opt Len in words, 8 to 260 bytes of header.
TEST(Header, SizeIsEightPlusFourTimesOptLen) {
  for (size_t words = 0; words < 64; ++words) {
    // Options without data, as many as Opt Len says, and one byte of payload.
    std::vector<uint8_t> message(8 + words * 4 + 1, 0);
    message[0] = static_cast<uint8_t>(words);
    const auto header = DecodeHeader(message);
    ASSERT_TRUE(header.ok()) << words;
    EXPECT_EQ(header->size(), 8 + words * 4);
    EXPECT_EQ(header->option_bytes(), words * 4);
    EXPECT_EQ(header->bytes().size(), 8 + words * 4);
    EXPECT_EQ(header->payload().size(), 1u);
    EXPECT_EQ(header->payload().data(), message.data() + 8 + words * 4);
  }
}

// G-3.4-07: options beyond the datagram, every possible cut.
TEST(Header, TruncatedOptionsAreRefused) {
  const std::vector<uint8_t> message = Message("O05");
  for (size_t size = 8; size < 260; ++size) {
    const std::vector<uint8_t> cut(message.begin(), message.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(ErrorOf(cut), (DecodeError{Reason::kOptTrunc, static_cast<uint32_t>(size)}));
  }
  EXPECT_TRUE(DecodeHeader(ByteSpan(message).first(260)).ok());
}

// G-3.5.1-06: more options than this endpoint takes.
TEST(Header, CapacityIsALimit) {
  const std::vector<uint8_t> message = Message("O04");
  EXPECT_EQ(ErrorOf(message, {.option_capacity = 64}), (DecodeError{Reason::kOptCapacity, 0}));
  EXPECT_EQ(ErrorOf(message, {.option_capacity = 124}), (DecodeError{Reason::kOptCapacity, 0}));
  EXPECT_TRUE(DecodeHeader(message, {.option_capacity = 128}).ok());
  EXPECT_TRUE(DecodeHeader(message, {.option_capacity = 252}).ok());
  EXPECT_TRUE(DecodeHeader(Message("B02"), {.option_capacity = 0}).ok());
}

// N-9638-03: 56 bytes of options fit in the smallest sensible profile.
TEST(Header, SixtyFourBytesOfHeaderAreUsable) {
  std::vector<uint8_t> message(64, 0);
  message[0] = 14;
  EXPECT_TRUE(DecodeHeader(message, {.option_capacity = 56}).ok());
}

// G-3.5-12, G-3.5-18: an option may end exactly at Opt Len and not one word later.
TEST(Header, OptionsMustEndAtOptLen) {
  EXPECT_TRUE(DecodeHeader(Message("O05")).ok());
  EXPECT_EQ(ErrorOf(Message("O17")), (DecodeError{Reason::kOptLen, 8}));
  EXPECT_EQ(ErrorOf(Message("O18")), (DecodeError{Reason::kOptLen, 8}));
  EXPECT_EQ(ErrorOf(Message("O19")), (DecodeError{Reason::kOptLen, 16}));
  EXPECT_EQ(ErrorOf(Message("W08")), (DecodeError{Reason::kOptLen, 8}));
}

// G-3.5-14: options without data.
TEST(Header, HeaderOnlyOptionsAreLegal) {
  EXPECT_TRUE(DecodeHeader(Message("O02")).ok());
  EXPECT_TRUE(DecodeHeader(Message("O06")).ok());
}

// G-3.5-03, G-3.4-15: unknown critical options, wherever they stand in the list.
TEST(Header, UnknownCriticalOptionIsRefused) {
  EXPECT_EQ(ErrorOf(Message("O08")), (DecodeError{Reason::kOptCrit, 8}));
  EXPECT_EQ(ErrorOf(Message("O14")), (DecodeError{Reason::kOptCrit, 32}));
  EXPECT_EQ(ErrorOf(Message("O23")), (DecodeError{Reason::kOptCrit, 8}));
  EXPECT_EQ(ErrorOf(Message("O13"), {.known = &kCriticalKnown}),
            (DecodeError{Reason::kOptCrit, 16}));
  EXPECT_TRUE(DecodeHeader(Message("O12"), {.known = &kCriticalKnown}).ok());
  // Known to the table is not known to the endpoint: the same type in another class.
  const OptionSet other = Knowing({0xFF01, 0x81}, LengthSet::Any());
  EXPECT_EQ(ErrorOf(Message("O08"), {.known = &other}).reason, Reason::kOptCrit);
}

// G-3.5.1-03, CH-01: whatever the C bit says; the lenient endpoint trusts C = 0.
TEST(Header, CriticalFlagZeroDoesNotExcuse) {
  EXPECT_EQ(ErrorOf(Message("O09")), (DecodeError{Reason::kOptCrit, 8}));
  EXPECT_EQ(ErrorOf(Message("W05")).reason, Reason::kOptCrit);
  const DecodePolicy lenient{.handling = OptionHandling::kLenient};
  EXPECT_TRUE(DecodeHeader(Message("O09"), lenient).ok());
  EXPECT_TRUE(DecodeHeader(Message("W05"), lenient).ok());
  EXPECT_EQ(ErrorOf(Message("O08"), lenient), (DecodeError{Reason::kOptCrit, 8}));
}

// G-3.4-16, G-3.4-17: an endpoint without option parser.
TEST(Header, EndpointWithoutParserDropsOnCriticalFlag) {
  const DecodePolicy none{.handling = OptionHandling::kNone};
  for (const char* id : {"O08", "O10", "O11", "O12"}) {
    EXPECT_EQ(ErrorOf(Message(id), none), (DecodeError{Reason::kOptCrit, 1})) << id;
  }
  for (const char* id : {"O01", "O05", "O06", "O09"}) {
    EXPECT_TRUE(DecodeHeader(Message(id), none).ok()) << id;
  }
  // CH-04: lengths are checked even if nobody reads the options.
  EXPECT_EQ(ErrorOf(Message("O17"), none).reason, Reason::kOptLen);
}

// CH-02: C = 1 without a critical option is accepted and can be counted.
TEST(Header, CriticalFlagAloneIsAnAnomaly) {
  for (const char* id : {"O10", "O11"}) {
    const std::vector<uint8_t> message = Message(id);
    const auto header = DecodeHeader(message);
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(FindAnomalies(*header), (HeaderAnomalies{.critical_flag_alone = true})) << id;
  }
}

TEST(Header, FindsEachAnomaly) {
  const auto anomalies = [](const std::string& id) {
    const std::vector<uint8_t> message = Message(id);
    return FindAnomalies(*HeaderView::Peek(message));
  };
  EXPECT_EQ(anomalies("B02"), HeaderAnomalies());
  EXPECT_EQ(anomalies("O08"), HeaderAnomalies());
  EXPECT_EQ(anomalies("O09"), (HeaderAnomalies{.critical_flag_missing = true}));
  EXPECT_EQ(anomalies("O07"), (HeaderAnomalies{.reserved_bits = true}));
  EXPECT_EQ(anomalies("H04"), (HeaderAnomalies{.reserved_bits = true}));
  EXPECT_EQ(anomalies("O15"), (HeaderAnomalies{.duplicate_option = true}));
}

// G-3.5.1-11: a known option with another length.
TEST(Header, KnownOptionOfWrongLengthIsRefused) {
  const OptionSet known = Knowing({0xFF00, 0x01}, *LengthSet::Of({4}));
  EXPECT_EQ(ErrorOf(Message("O20"), {.known = &known}), (DecodeError{Reason::kOptKnownLen, 8}));
  EXPECT_TRUE(DecodeHeader(Message("O01"), {.known = &known}).ok());
  // Lenient: as if it were unknown, and it is not critical.
  EXPECT_TRUE(
      DecodeHeader(Message("O20"), {.handling = OptionHandling::kLenient, .known = &known}).ok());
  // Two lengths are possible where the owner says so (Cilium: IPv4 and IPv6).
  const OptionSet cilium = Knowing({0x014B, 0x81}, *LengthSet::Of({8, 20}));
  EXPECT_TRUE(DecodeHeader(Message("W04"), {.known = &cilium}).ok());
  EXPECT_TRUE(DecodeHeader(Message("W06"), {.known = &cilium}).ok());
}

TEST(Header, LenientTakesACriticalOptionOfWrongLengthAsUnknown) {
  const OptionSet known = Knowing({0xFF00, 0x81}, *LengthSet::Of({8}));
  const DecodePolicy lenient{.handling = OptionHandling::kLenient, .known = &known};
  EXPECT_EQ(ErrorOf(Message("O08"), lenient), (DecodeError{Reason::kOptCrit, 8}));
  EXPECT_EQ(ErrorOf(Message("O08"), {.known = &known}), (DecodeError{Reason::kOptKnownLen, 8}));
}

// G-3.5.1-12: the walk goes by the Length field; what follows a wrong length is still found.
TEST(Header, WalkGoesByTheLengthField) {
  const std::vector<uint8_t> message = FromHex(
      "0540655800271100"          // 5 words, C
      "ff0001020000000000000000"  // FF00/01 with 8 bytes, known with 4
      "ff008201cafef00d");        // critical, unknown
  const OptionSet known = Knowing({0xFF00, 0x01}, *LengthSet::Of({4}));
  const auto view = HeaderView::Peek(message);
  ASSERT_TRUE(view->options().Find({0xFF00, 0x82}).has_value());
  EXPECT_EQ(view->options().Find({0xFF00, 0x82})->offset(), 20u);
  EXPECT_EQ(ErrorOf(message, {.handling = OptionHandling::kLenient, .known = &known}),
            (DecodeError{Reason::kOptCrit, 20}));
  EXPECT_EQ(ErrorOf(message, {.known = &known}), (DecodeError{Reason::kOptKnownLen, 8}));
}

// CH-16: one reason per packet, by the order of the checks and not of the options.
TEST(Header, OverrunComesBeforeCritical) {
  EXPECT_EQ(ErrorOf(Message("Q02")), (DecodeError{Reason::kOptLen, 16}));
}

// G-3.4-21, G-3.4-32: reserved bits are ignored and stay out of the VNI.
TEST(Header, ReservedBitsAreIgnored) {
  std::vector<uint8_t> message = Message("B02");
  for (unsigned bits = 0; bits < 64; ++bits) {
    message[1] = static_cast<uint8_t>(bits);
    message[7] = static_cast<uint8_t>(0xFF - bits);
    const auto header = DecodeHeader(message);
    ASSERT_TRUE(header.ok());
    EXPECT_FALSE(header->control());
    EXPECT_FALSE(header->critical());
    EXPECT_EQ(header->vni().value(), 10001u);
  }
}

// G-3.4-26: all 24 bits, in network order.
TEST(Header, VniIsThreeBytesInNetworkOrder) {
  std::vector<uint8_t> message = Message("B02");
  for (unsigned bit = 0; bit < 24; ++bit) {
    StoreBe32(&message[4], uint32_t{1} << (bit + 8));
    EXPECT_EQ(DecodeHeader(message)->vni().value(), uint32_t{1} << bit);
  }
}

TEST(Header, PeekShowsWhatDecodeRefuses) {
  const std::vector<uint8_t> message = Message("T07");
  const auto view = HeaderView::Peek(message);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->option_bytes(), 8u);
  EXPECT_EQ(view->options().bytes().size(), 4u);
  EXPECT_EQ(view->options().Count(), 0u);
  EXPECT_TRUE(view->payload().empty());
  EXPECT_EQ(view->bytes().size(), message.size());
  EXPECT_FALSE(HeaderView::Peek(ByteSpan(message).first(7)).has_value());
}

TEST(Reason, HasNamesAndTexts) {
  EXPECT_EQ(ReasonName(Reason::kOptTrunc), "OPT_TRUNC");
  EXPECT_EQ(ReasonName(Reason::kUdp6ZeroCsum), "UDP6_ZERO_CSUM");
  EXPECT_EQ(ReasonText(Reason::kVersion), "GENEVE version is not 0");
}

}  // namespace
}  // namespace geneve
