// ctest -R unit/codegen_tuning - times as users write them.
#include "codegen/tuning/Budget.h"

#include <gtest/gtest.h>

namespace qwen {
namespace {

TEST(Budget, TakesSecondsMinutesAndHours) {
  std::string error;
  EXPECT_EQ(parseBudget("90", error), 90);
  EXPECT_EQ(parseBudget("90s", error), 90);
  EXPECT_EQ(parseBudget("10m", error), 600);
  EXPECT_EQ(parseBudget("2h", error), 7200);
  EXPECT_EQ(parseBudget("168h", error), 168 * 3600);
}

TEST(Budget, RefusesWhatIsNoTime) {
  for (const char *text : {"", "m", "ten", "-5s", "1.5h", "10 m", "10ms",
                           "169h", "99999999999999999999s"}) {
    std::string error;
    EXPECT_FALSE(parseBudget(text, error)) << text;
    EXPECT_EQ(error, "`--budget` is `" + std::string(text) +
                         "`; it is a time of up to a week, such as 90s, 10m or "
                         "1h");
  }
}

TEST(Budget, RefusesLessThanOneCandidateTakes) {
  std::string error;
  EXPECT_FALSE(parseBudget("4s", error));
  EXPECT_EQ(error, "`--budget` is 4 s; compiling and timing one candidate "
                   "takes about 5 s");
  EXPECT_EQ(parseBudget("5s", error), 5);
}

} // namespace
} // namespace qwen
