#include "geneve/encode.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "vector_file.h"

namespace geneve {
namespace {

using testing::FromHex;

class Encode : public ::testing::Test {
 protected:
  Encode() { buffer_.fill(0xAA); }

  std::vector<uint8_t> Written(const Result<size_t, EncodeError>& size) {
    EXPECT_TRUE(size.ok());
    if (!size.ok()) return {};
    return {buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(*size)};
  }

  std::array<uint8_t, 512> buffer_{};
};

const std::vector<uint8_t> kWord = FromHex("deadbeef");

// G-3.4-01, G-3.4-20, G-3.4-22, G-3.4-31: the header of B02 in full.
TEST_F(Encode, MinimalHeader) {
  HeaderBuilder builder(buffer_);
  builder.SetVni(10001);
  EXPECT_EQ(Written(builder.Finish()), FromHex("0000655800271100"));
  EXPECT_EQ(buffer_[8], 0xAA);
}

TEST_F(Encode, FieldsStandWhereTheyBelong) {
  HeaderBuilder builder(buffer_);
  builder.SetVni(*Vni::From(0x123456)).SetProtocol(0x86DD).SetControl(true);
  EXPECT_EQ(Written(builder.Finish()), FromHex("008086dd12345600"));
  builder.SetControl(false);
  EXPECT_EQ(Written(builder.Finish()), FromHex("000086dd12345600"));
}

// G-3.5-01: an option of O01, G-3.4-04: two words.
TEST_F(Encode, OptionHeaderAndData) {
  HeaderBuilder builder(buffer_);
  builder.SetVni(10001).AddOption({0xFF00, 0x01}, kWord);
  EXPECT_EQ(Written(builder.Finish()), FromHex("0200655800271100ff000101deadbeef"));
}

// G-3.4-19, G-3.5-04: C exactly when an option is critical.
TEST_F(Encode, CriticalFlagFollowsTheOptions) {
  const auto flags = [&](const std::vector<uint8_t>& types) {
    HeaderBuilder builder(buffer_);
    for (const uint8_t type : types) builder.AddOption32({0xFF00, type}, 0);
    EXPECT_TRUE(builder.Finish().ok());
    return buffer_[1];
  };
  EXPECT_EQ(flags({}), 0x00);
  EXPECT_EQ(flags({0x01}), 0x00);
  EXPECT_EQ(flags({0x7F, 0x00}), 0x00);
  EXPECT_EQ(flags({0x81}), 0x40);
  EXPECT_EQ(flags({0x01, 0x80}), 0x40);
  EXPECT_EQ(flags({0xFF, 0x01}), 0x40);
}

// G-3.5-08: R bits are zero, at every data length.
TEST_F(Encode, ReservedBitsAreZero) {
  const std::vector<uint8_t> data(124, 0xFF);
  for (size_t bytes = 0; bytes <= 124; bytes += 4) {
    HeaderBuilder builder(buffer_);
    builder.AddOption({0xFFFF, 0xFF}, ByteSpan(data).first(bytes));
    ASSERT_TRUE(builder.Finish().ok());
    EXPECT_EQ(buffer_[11], bytes / 4);
    EXPECT_EQ(buffer_[1] & 0x3F, 0);
    EXPECT_EQ(buffer_[7], 0);
  }
}

// G-3.4-27: VNI above 24 bits; G-3.4-33: both ends of the range are fine.
TEST_F(Encode, RefusesLargeVni) {
  for (const uint32_t vni : {0x1000000u, 0xFFFFFFFFu}) {
    HeaderBuilder builder(buffer_);
    builder.SetVni(vni);
    EXPECT_EQ(builder.Finish().error(), (EncodeError{EncodeFault::kVniRange, 4}));
  }
  EXPECT_EQ(buffer_[0], 0xAA);  // nothing written
  HeaderBuilder builder(buffer_);
  builder.SetVni(0xFFFFFF);
  EXPECT_EQ(Written(builder.Finish()), FromHex("00006558ffffff00"));
}

// G-3.5-11: data not a multiple of 4 or above 124 bytes.
TEST_F(Encode, RefusesOddOptionData) {
  const std::vector<uint8_t> data(256, 0);
  for (size_t bytes = 0; bytes <= data.size(); ++bytes) {
    HeaderBuilder builder(buffer_);
    builder.AddOption({0xFF00, 1}, ByteSpan(data).first(bytes));
    const auto size = builder.Finish();
    EXPECT_EQ(size.ok(), bytes % 4 == 0 && bytes <= 124) << bytes;
    if (!size.ok()) {
      EXPECT_EQ(size.error(), (EncodeError{EncodeFault::kOptionDataSize, 8}));
    }
  }
}

// G-3.4-05: 252 bytes of options and no more.
TEST_F(Encode, RefusesMoreThan252OptionBytes) {
  const std::vector<uint8_t> data(124, 0x55);
  HeaderBuilder full(buffer_);
  full.AddOption({0xFF00, 4}, data).AddOption({0xFF00, 5}, ByteSpan(data).first(120));
  const auto size = full.Finish();
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(*size, 260u);
  EXPECT_EQ(buffer_[0], 63);
  full.AddOption({0xFF00, 6}, {});
  EXPECT_EQ(full.Finish().error(), (EncodeError{EncodeFault::kOptionsTooLong, 260}));

  // Opt Len cannot say more, whatever the receiver is said to take.
  HeaderBuilder over(buffer_, {.option_capacity = 1000});
  over.AddOption({0xFF00, 4}, data).AddOption({0xFF00, 5}, data);
  EXPECT_EQ(over.Finish().error(), (EncodeError{EncodeFault::kOptionsTooLong, 136}));
}

TEST_F(Encode, TakesSixtyThreeEmptyOptions) {
  HeaderBuilder builder(buffer_);
  for (int i = 0; i < 63; ++i) builder.AddOption({0xFF00, 1}, {});
  EXPECT_EQ(*builder.Finish(), 260u);
}

// G-3.5.1-08: what the receiver takes is a limit for the sender.
TEST_F(Encode, KeepsToTheReceiversCapacity) {
  const std::vector<uint8_t> data(64, 0);
  HeaderBuilder builder(buffer_, {.option_capacity = 64});
  builder.AddOption({0xFF00, 1}, data);  // 68 bytes with its header
  EXPECT_EQ(builder.Finish().error(), (EncodeError{EncodeFault::kOptionsTooLong, 8}));
  HeaderBuilder fits(buffer_, {.option_capacity = 64});
  fits.AddOption({0xFF00, 1}, ByteSpan(data).first(60));
  EXPECT_TRUE(fits.Finish().ok());
}

// G-3.5.1-10: a registered option keeps its length; G-3.5.1-13: others can be refused.
TEST_F(Encode, KeepsToTheRegistry) {
  OptionSet known;
  ASSERT_TRUE(known.Add({0x0102, 0x80}, *LengthSet::Of({4})).ok());
  HeaderBuilder wrong(buffer_, {.known = &known});
  wrong.AddOption({0x0102, 0x80}, FromHex("0000000000000000"));
  EXPECT_EQ(wrong.Finish().error(), (EncodeError{EncodeFault::kOptionLength, 8}));

  HeaderBuilder right(buffer_, {.known = &known});
  right.SetVni(10001).AddOption({0x0102, 0x80}, FromHex("00050007"));
  EXPECT_EQ(Written(right.Finish()), FromHex("02406558002711000102800100050007"));

  HeaderBuilder free(buffer_, {.known = &known});
  free.AddOption({0xFF00, 0x01}, kWord);
  EXPECT_TRUE(free.Finish().ok());
  HeaderBuilder bound(buffer_, {.known = &known, .only_known = true});
  bound.AddOption({0xFF00, 0x01}, kWord);
  EXPECT_EQ(bound.Finish().error(), (EncodeError{EncodeFault::kOptionUnknown, 8}));
}

TEST_F(Encode, NeverWritesOutsideItsSpan) {
  for (size_t room = 0; room < 24; ++room) {
    std::vector<uint8_t> exact(room);  // its own allocation, so that ASan sees one byte too many
    HeaderBuilder builder(exact);
    builder.SetVni(10001).AddOption({0xFF00, 1}, kWord).AddOption({0xFF00, 2}, kWord);
    const auto size = builder.Finish();
    EXPECT_FALSE(size.ok());
    EXPECT_EQ(size.error().fault, EncodeFault::kNoRoom);
  }
  std::vector<uint8_t> exact(24);
  HeaderBuilder builder(exact);
  builder.AddOption({0xFF00, 1}, kWord).AddOption({0xFF00, 2}, kWord);
  EXPECT_EQ(*builder.Finish(), 24u);
}

TEST_F(Encode, KeepsTheFirstError) {
  HeaderBuilder builder(buffer_);
  builder.AddOption({0xFF00, 1}, FromHex("00")).SetVni(0x1000000);
  EXPECT_EQ(builder.Finish().error().fault, EncodeFault::kOptionDataSize);
  EXPECT_EQ(EncodeFaultText(EncodeFault::kVniRange), "the VNI is above 16777215");
}

// G-6-07: no byte of the output depends on what was in the buffer.
TEST_F(Encode, LeavesNoByteUnwritten) {
  const auto build = [](uint8_t poison) {
    std::vector<uint8_t> out(64, poison);
    HeaderBuilder builder(out);
    builder.SetVni(7)
        .AddOption32({0xFF00, 1}, 5)
        .AddOption({0xFF00, 2}, {})
        .AddOption({0xFF00, 0x83}, kWord);
    out.resize(*builder.Finish());
    return out;
  };
  EXPECT_EQ(build(0x00), build(0xFF));
}

class Template : public ::testing::Test {
 protected:
  // FF00/02 without data, FF00/01 with a word, FF00/83 with two words.
  static HeaderTemplate Make() {
    std::array<uint8_t, 64> buffer{};
    HeaderBuilder builder(buffer);
    builder.SetVni(1).AddOption({0xFF00, 0x02}, {}).AddOption32({0xFF00, 0x01}, 0);
    builder.AddOption({0xFF00, 0x83}, FromHex("0000000000000000"));
    const auto size = builder.Finish();
    const auto made = HeaderTemplate::From(ByteSpan(buffer).first(*size));
    EXPECT_TRUE(made.ok());
    return *made;
  }
};

TEST_F(Template, StampsVniAndValues) {
  const HeaderTemplate header = Make();
  EXPECT_EQ(header.size(), 32u);
  std::vector<uint8_t> out(32, 0xAA);
  ASSERT_EQ(header.Stamp(out, *Vni::From(0x123456)), 32u);
  EXPECT_TRUE(header.FindSlot({0xFF00, 0x01})->Put32(out, 0xDEADBEEF));
  EXPECT_TRUE(header.FindSlot({0xFF00, 0x83})->Put64(out, 0x0011223344556677));
  EXPECT_EQ(out, FromHex("0640655812345600ff000200ff000101deadbeefff0083020011223344556677"));
}

// Every size of header, with its own allocation: exact bounds, no byte forgotten.
TEST_F(Template, StampsEverySize) {
  for (size_t words = 0; words <= 63; ++words) {
    std::array<uint8_t, kMaxHeaderBytes> buffer{};
    HeaderBuilder builder(buffer);
    for (size_t i = 0; i < words; ++i) builder.AddOption({static_cast<uint16_t>(i), 1}, {});
    const auto size = builder.SetVni(0xABCDEF).Finish();
    const auto made = HeaderTemplate::From(ByteSpan(buffer).first(*size));
    ASSERT_TRUE(made.ok());
    std::vector<uint8_t> out(*size, 0xAA);
    EXPECT_EQ(made->Stamp(out, *Vni::From(0xABCDEF)), *size);
    EXPECT_EQ(out, std::vector<uint8_t>(buffer.begin(), buffer.begin() + ptrdiff_t(*size)));
  }
}

TEST_F(Template, WritesNothingIfItDoesNotFit) {
  const HeaderTemplate header = Make();
  std::vector<uint8_t> out(31, 0xAA);
  EXPECT_EQ(header.Stamp(out, Vni()), 0u);
  EXPECT_EQ(out, std::vector<uint8_t>(31, 0xAA));
}

TEST_F(Template, DoesNotWriteBeyondItsSize) {
  const HeaderTemplate header = Make();
  std::vector<uint8_t> out(40, 0xAA);
  EXPECT_EQ(header.Stamp(out, Vni()), 32u);
  for (size_t i = 32; i < 40; ++i) EXPECT_EQ(out[i], 0xAA);
}

TEST_F(Template, SlotsAreBounded) {
  const HeaderTemplate header = Make();
  const OptionSlot slot = *header.FindSlot({0xFF00, 0x01});
  EXPECT_EQ(slot.offset, 16);
  EXPECT_EQ(slot.length, 4);
  std::vector<uint8_t> out(32, 0);
  EXPECT_TRUE(slot.Put(out, kWord));
  EXPECT_EQ(LoadBe32(&out[16]), 0xDEADBEEFu);
  EXPECT_FALSE(slot.Put(out, ByteSpan(kWord).first(3)));
  EXPECT_FALSE(slot.Put64(out, 0));
  EXPECT_FALSE(slot.Put(MutableByteSpan(out).first(19), kWord));
  EXPECT_FALSE(slot.Put32(MutableByteSpan(out).first(19), 0));
  EXPECT_FALSE(header.FindSlot({0xFF00, 0x83})->Put32(out, 0));
  EXPECT_FALSE(header.FindSlot({0xFF00, 0x83})->Put64(MutableByteSpan(out).first(31), 0));
  EXPECT_FALSE(header.FindSlot({0xFF00, 0x99}).has_value());
}

TEST_F(Template, RefusesWhatIsNoHeader) {
  EXPECT_EQ(HeaderTemplate::From(FromHex("00006558")).error().reason, Reason::kShortHdr);
  EXPECT_EQ(HeaderTemplate::From(FromHex("4000655800271100")).error().reason, Reason::kVersion);
  EXPECT_EQ(HeaderTemplate::From(FromHex("0200655800271100")).error().reason, Reason::kOptTrunc);
  EXPECT_EQ(HeaderTemplate::From(FromHex("0100655800271100ff000101")).error().reason,
            Reason::kOptLen);
}

}  // namespace
}  // namespace geneve
