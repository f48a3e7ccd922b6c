// PagesTest.cpp - run alone: unit_runtime_core --gtest_filter='Pages*'
#include "runtime/core/Pages.h"
#include "tests/unit/runtime/core/MappingFlags.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace qwen {
namespace {

TEST(Pages, AreZeroAndStartAtAHugePageFromItsSizeOn) {
  for (int64_t bytes : {int64_t(0), int64_t(1), kPageBytes, kHugePageBytes - 1,
                        kHugePageBytes, 3 * kHugePageBytes + 5}) {
    Result<Pages> pages = Pages::allocate(bytes, "a test");
    ASSERT_TRUE(pages.ok()) << pages.status().text();
    EXPECT_GE(pages->bytes(), bytes);
    const int64_t unit = bytes < kHugePageBytes ? kPageBytes : kHugePageBytes;
    EXPECT_EQ(reinterpret_cast<intptr_t>(pages->data()) % unit, 0) << bytes;
    for (int64_t i = 0; i < pages->bytes(); ++i)
      ASSERT_EQ(pages->data()[i], 0) << i << " of " << bytes;
    pages->data()[pages->bytes() - 1] = 1;
  }
}

TEST(Pages, HugePagesKeepTheContents) {
  Result<Pages> pages = Pages::allocate(2 * kHugePageBytes, "a test");
  ASSERT_TRUE(pages.ok());
  EXPECT_FALSE(prefersHugePages(pages->data()));
  for (int64_t i = 0; i < pages->bytes(); i += kPageBytes)
    pages->data()[i] = static_cast<uint8_t>(i / kPageBytes);
  pages->preferHuge();
  // The last part is no whole page: it stays where it is.
  for (int64_t at = 0; at < pages->bytes(); at += kHugePageBytes)
    pages->moveToHuge(at);
  for (int64_t i = 0; i < pages->bytes(); i += kPageBytes)
    ASSERT_EQ(pages->data()[i], static_cast<uint8_t>(i / kPageBytes)) << i;
  if (!systemHasHugePages())
    GTEST_SKIP() << "this system has no huge pages";
  EXPECT_TRUE(prefersHugePages(pages->data()));
}

TEST(Pages, MoveWithTheirMapping) {
  Result<Pages> first = Pages::allocate(kHugePageBytes, "a test");
  Result<Pages> second = Pages::allocate(1, "a test");
  ASSERT_TRUE(first.ok() && second.ok());
  uint8_t *data = first->data();
  data[5] = 7;
  Pages moved(std::move(*first));
  Pages target = std::move(*second);
  target = std::move(moved);
  EXPECT_EQ(target.data(), data);
  EXPECT_EQ(target.data()[5], 7);
  EXPECT_GE(target.bytes(), kHugePageBytes);
}

TEST(Pages, AMappingTooLargeIsRefused) {
  Result<Pages> pages = Pages::allocate(int64_t(1) << 60, "the cache");
  ASSERT_FALSE(pages.ok());
  EXPECT_EQ(std::string(pages.status().text())
                .find("no memory for the cache of 1152921504606846976 bytes"),
            0U)
      << pages.status().text();
}

} // namespace
} // namespace qwen
