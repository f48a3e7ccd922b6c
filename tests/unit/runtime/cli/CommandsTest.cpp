// CommandsTest.cpp - run alone: unit_runtime_cli --gtest_filter='Commands*'
#include "runtime/cli/Npy.h"
#include "tests/unit/runtime/cli/Program.h"
#include "tests/unit/runtime/core/ToyModel.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <sys/resource.h>
#include <sys/stat.h>

namespace qwen {
namespace {

namespace fs = std::filesystem;

class Commands : public testing::Test {
protected:
  std::string folder =
      testing::TempDir() + "toy_" +
      testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
  std::string weights = folder + "toy.weights", bare = folder + "bare.weights";

  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
    toy::writeBytes(weights, toy::weightsFile(toy::tensorSection(),
                                              toy::tokenizerSection(),
                                              toy::generationSection()));
    toy::writeBytes(bare, toy::weightsFile(toy::tensorSection(), {}, ""));
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string put(const std::string &name, const std::string &text) {
    toy::writeBytes(folder + name, {text.begin(), text.end()});
    return folder + name;
  }
  // The command with the toy's weights.
  Outcome run(std::vector<std::string> arguments,
              const std::string &input = "") {
    arguments.insert(arguments.end(), {"--weights", weights});
    return runToy(arguments, input);
  }
  // Exit code 1, nothing on stdout, and just this line on stderr.
  void expectError(const Outcome &outcome, const std::string &line) {
    EXPECT_EQ(outcome.exitCode, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, line + "\n");
  }
};

TEST_F(Commands, RunContinuesText) {
  Outcome outcome = run({"run", "abc", "-n", "5"});
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(outcome.out, "defgh\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(run({"run", "-", "-n", "2"}, "xy").out, "z{\n");
}

TEST_F(Commands, RunTakesAndGivesIds) {
  std::string ids = put("ids", "9, 10\n11");
  EXPECT_EQ(run({"run", "--ids", ids, "--output-ids", "-n", "3"}).out,
            "12 13 14\n");
  EXPECT_EQ(run({"run", "--ids", "-", "--output-ids", "-n", "1"}, "41").out,
            "42\n");
  EXPECT_EQ(run({"run", "--ids", ids, "--output-ids", "-n", "0"}).out, "\n");
  EXPECT_EQ(runToy({"run", "--ids", ids, "--output-ids", "-n", "2", "--weights",
                    bare})
                .out,
            "12 13\n");
}

TEST_F(Commands, RunStopsAtTheStopToken) {
  std::string ids = put("ids", "253");
  EXPECT_EQ(run({"run", "--ids", ids, "--output-ids"}).out, "254 255 256\n");
  // 258 is unused and ids from 259 on are padding rows: neither is ever chosen.
  std::string on =
      run({"run", "--ids", ids, "--output-ids", "--ignore-stop", "-n", "5"})
          .out;
  EXPECT_EQ(on.substr(0, 16), "254 255 256 257 ");
  EXPECT_LT(std::stoi(on.substr(16)), 258);
}

TEST_F(Commands, RunNeverSplitsUtf8AndHidesTheStopToken) {
  // 0xfe and 0xff never occur in UTF-8.
  EXPECT_EQ(run({"run", "--ids", put("ids", "253")}).out,
            "\xef\xbf\xbd\xef\xbf\xbd\n");
}

TEST_F(Commands, AnswersDoNotDependOnThreadsOrChunks) {
  std::string prompt(100, 'q');
  std::string expected = run({"run", prompt, "-n", "20", "--temperature", "2",
                              "--seed", "5", "--output-ids"})
                             .out;
  EXPECT_GT(expected.size(), 40u);
  for (const char *threads : {"1", "2", "3"})
    for (const char *chunk : {"1", "7", "8"})
      EXPECT_EQ(
          run({"run", prompt, "-n", "20", "--temperature", "2", "--seed", "5",
               "--output-ids", "-t", threads, "--chunk", chunk, "--poison"})
              .out,
          expected);
  EXPECT_NE(run({"run", prompt, "-n", "20", "--temperature", "2", "--seed", "6",
                 "--output-ids"})
                .out,
            expected);
}

TEST_F(Commands, AFullContextIsSaid) {
  Outcome outcome = run({"run", "a", "--ignore-stop", "--output-ids"});
  EXPECT_EQ(outcome.exitCode, 0);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), ' ') + 1,
            toy::kContext);
  EXPECT_EQ(outcome.err, "note: the context of 300 tokens is full\n");
}

TEST_F(Commands, AnInterruptKeepsWhatIsWritten) {
  std::string slow = folder + "slow.weights";
  toy::writeBytes(slow, toy::weightsFile(toy::tensorSection(5),
                                         toy::tokenizerSection(),
                                         toy::generationSection()));
  Outcome outcome = runToy({"run", "abc", "--weights", slow}, "", "def");
  EXPECT_EQ(outcome.exitCode, 130);
  EXPECT_EQ(outcome.out.substr(0, 3), "def");
  EXPECT_LT(outcome.out.size(), 100u);
  EXPECT_EQ(outcome.out.back(), '\n');
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Commands, RunChatUsesTheTemplate) {
  // The template ends with a line end, id 10; the toy counts on from there.
  EXPECT_EQ(run({"run", "hi", "--chat", "--output-ids", "-n", "3"}).out,
            "11 12 13\n");
  // The frame around the message has 19 ids.
  expectError(run({"run", std::string(282, 'a'), "--chat"}),
              "qwen_toy_app: error: 301 tokens do not fit the context of 300");
  expectError(run({"run", "--ids", put("ids", "1"), "--chat"}),
              "qwen_toy_app: error: --chat takes a text, not --ids");
  std::string plain = folder + "plain.weights";
  toy::writeBytes(plain, toy::weightsFile(toy::tensorSection(),
                                          toy::tokenizerSection(), "{}"));
  for (const std::vector<std::string> &command :
       {std::vector<std::string>{"chat", "--weights", plain},
        {"run", "a", "--chat", "--weights", plain}})
    expectError(runToy(command),
                plain + ": error: this model has no chat template");
}

TEST_F(Commands, ChatAnswersEachLineUntilItEnds) {
  const std::string answer = "\x0b\x0c\r\n";
  EXPECT_EQ(run({"chat", "-n", "3"}, "").out, "");
  EXPECT_EQ(run({"chat", "-n", "3"}, "hi\n\nyou").out, answer + answer);
  EXPECT_EQ(run({"chat", "-n", "3"}, "hi\r\n/quit\nmore\n").out, answer);
  Outcome outcome =
      run({"chat", "-n", "3", "--system", "s"}, "hi\n/reset\nyou\n");
  EXPECT_EQ(outcome.out, answer + answer);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(outcome.exitCode, 0);
}

TEST_F(Commands, ChatSaysWhenTheConversationDoesNotFit) {
  Outcome outcome =
      run({"chat", "-n", "1"}, std::string(240, 'a') + "\nmore of it\n" +
                                   std::string(50, 'b') + "\n");
  EXPECT_EQ(outcome.exitCode, 1);
  EXPECT_EQ(outcome.out, "\x0b\n\x0b\n");
  EXPECT_EQ(outcome.err.substr(0, 21), "qwen_toy_app: error: ");
  EXPECT_NE(outcome.err.find(
                "tokens do not fit the context of 300; /reset starts anew\n"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Commands, ChatEndsOnAnInterrupt) {
  Outcome waiting =
      runToy({"chat", "-n", "2", "--weights", weights}, "hi\n", "\x0b\x0c\n");
  EXPECT_EQ(waiting.exitCode, 130);
  std::string slow = folder + "slow.weights";
  toy::writeBytes(slow, toy::weightsFile(toy::tensorSection(5),
                                         toy::tokenizerSection(),
                                         toy::generationSection()));
  Outcome answering = runToy({"chat", "--weights", slow}, "hi\n", " !");
  EXPECT_EQ(answering.exitCode, 130);
  EXPECT_EQ(answering.out.back(), '\n');
  EXPECT_LT(answering.out.size(), 100u);
}

TEST_F(Commands, RunTellsItsSteps) {
  std::string ids = put("ids", "20 21 22 23 24 25 26 20 21 22");
  Outcome one = run({"run", "--ids", ids, "--output-ids", "-n", "5", "--stats",
                     "--prompt-lookup", "off"});
  EXPECT_EQ(one.out, "23 24 25 26 27\n");
  EXPECT_TRUE(std::regex_match(
      one.err, std::regex("prompt: 10 tokens, [0-9.]+ s; answer: 5 tokens, 4 "
                          "steps, [0-9.]+ s; 0 of 0 drafted tokens right\n")))
      << one.err;
  Outcome drafted = run({"run", "--ids", ids, "--output-ids", "-n", "5",
                         "--stats", "--prompt-lookup", "always"});
  EXPECT_EQ(drafted.out, one.out);
  EXPECT_NE(drafted.err.find(" 1 steps, "), std::string::npos) << drafted.err;
}

TEST_F(Commands, RunErrors) {
  expectError(run({"run", std::string(301, 'a')}),
              "qwen_toy_app: error: 301 tokens do not fit the context of 300");
  expectError(
      run({"run", ""}),
      "qwen_toy_app: error: the prompt is empty; at least one token is needed");
  expectError(run({"run"}),
              "qwen_toy_app: error: no prompt; give a text or --ids FILE");
  std::string ids = put("ids", "1 2\n300");
  expectError(run({"run", "--ids", ids}),
              ids + ":2:1: error: token id 300 is not in 0 to 299");
  expectError(run({"run", "a", "--ids", ids}),
              "qwen_toy_app: error: a prompt and --ids; give one of them");
  expectError(
      run({"run", "--ids", folder + "none"}),
      folder + "none: error: cannot open the file: No such file or directory");
  expectError(run({"run", "--ids", folder}),
              folder + ": error: cannot read the file: Is a directory");
  expectError(run({"run", "a", "-n", "-1"}),
              "qwen_toy_app: error: -n is -1; it is at least 0");
  expectError(run({"run", "a", "--prompt-lookup", "maybe"}),
              "qwen_toy_app: error: --prompt-lookup is `maybe`; it is one of "
              "off, auto, always");
  expectError(run({"run", "a", "-t", "0"}),
              "qwen_toy_app: error: --threads is 0; it is 1 to 1024");
  expectError(
      run({"run", "a", "--chunk", "9"}),
      "qwen_toy_app: error: --chunk is 9; this executable takes 1 to 8");
  expectError(run({"run", "a", "--top-p", "0"}),
              "qwen_toy_app: error: a top-p of 0; it is above 0 and at most 1");
}

TEST_F(Commands, WithoutATokenizerIdsStillServe) {
  expectError(runToy({"run", "text", "--weights", bare}),
              bare + ": error: no tokenizer in these weights; use --ids");
  expectError(runToy({"run", "--ids", put("ids", "1"), "--weights", bare}),
              bare +
                  ": error: no tokenizer in these weights; use --output-ids");
  expectError(runToy({"tokenize", "text", "--weights", bare}),
              bare + ": error: no tokenizer in these weights");
  expectError(runToy({"detokenize", "1", "--weights", bare}),
              bare + ": error: no tokenizer in these weights");
  expectError(runToy({"perplexity", put("text", "abc"), "--weights", bare}),
              bare + ": error: no tokenizer in these weights; use --ids");
}

TEST_F(Commands, WeightsOfAnotherBuildAreRefused) {
  std::vector<uint8_t> bytes = toy::weightsFile(toy::tensorSection(), {}, "");
  reinterpret_cast<qwen_weights_header *>(bytes.data())->fingerprint[0] = 0x77;
  std::string other = folder + "other.weights";
  toy::writeBytes(other, bytes);
  expectError(
      runToy({"run", "a", "--weights", other}),
      other + ": error: the weights are of another model or build: fingerprint "
              "770102030405060708090a0b0c0d0eff; this executable needs "
              "000102030405060708090a0b0c0d0eff");
  expectError(
      runToy({"run", "a"}), QWEN_TOY_APP
      ".weights: error: no weights file beside the executable; give one with "
      "--weights PATH");
}

TEST_F(Commands, UnknownFlagsAndCommandsExitWithOne) {
  Outcome outcome = run({"run", "a", "--bogus"});
  EXPECT_EQ(outcome.exitCode, 1);
  EXPECT_NE(outcome.err.find("--bogus"), std::string::npos) << outcome.err;
  EXPECT_EQ(runToy({"fly"}).exitCode, 1);
  EXPECT_EQ(runToy({}).exitCode, 1);
  EXPECT_EQ(runToy({"run", "-n", "many"}).exitCode, 1);
  EXPECT_EQ(runToy({"--help"}).exitCode, 0);
  EXPECT_EQ(runToy({"bench", "--help"}).exitCode, 0);
}

TEST_F(Commands, LogitsAreANumPyFile) {
  std::string ids = put("ids", "5 6 7 8 9 200 1 2 3 4 299"),
              file = folder + "out.npy";
  std::string expected = npyHeader(11, toy::kVocab);
  std::vector<int32_t> prefix;
  for (int32_t id : {5, 6, 7, 8, 9, 200, 1, 2, 3, 4, 299}) {
    prefix.push_back(id);
    std::vector<float> row = toy::expectedLogits(prefix);
    expected.append(reinterpret_cast<const char *>(row.data()),
                    row.size() * sizeof(float));
  }
  for (const char *chunk : {"1", "3", "4", "8"}) {
    Outcome outcome = run({"logits", "--ids", ids, "-o", file, "--chunk", chunk,
                           "-t", "2", "--poison"});
    EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
    EXPECT_TRUE(fileBytes(file) == expected) << "chunk " << chunk;
    fs::remove(file);
  }
}

TEST_F(Commands, LogitsLeaveNothingHalfWritten) {
  std::string ids = put("ids", "1 2"), nowhere = folder + "no/out.npy";
  expectError(run({"logits", "--ids", ids, "-o", nowhere}),
              nowhere +
                  ": error: cannot write the file: No such file or directory");
  expectError(run({"logits", "--ids", ids}),
              "qwen_toy_app: error: no output; give -o FILE");
  std::string many;
  for (int i = 0; i < 301; ++i)
    many += "1 ";
  std::string out = folder + "out.npy";
  expectError(run({"logits", "--ids", put("many", many), "-o", out}),
              "qwen_toy_app: error: 301 tokens do not fit the context of 300");
  for (const auto &entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().string().find(".npy"), std::string::npos)
        << entry.path();
}

TEST_F(Commands, AFileThatCannotBeReplacedLeavesNoOther) {
  // A rename onto a folder fails when all is written: the new file must not
  // stay.
  fs::create_directories(folder + "taken");
  expectError(run({"logits", "--ids", put("ids", "1"), "-o", folder + "taken"}),
              folder + "taken: error: cannot write the file: Is a directory");
  for (const auto &entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos)
        << entry.path();
}

TEST_F(Commands, LogitsDoNotTakeAPipesPlace) {
  std::string pipe = folder + "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expectError(run({"logits", "--ids", put("ids", "1"), "-o", pipe}),
              pipe + ": error: not a regular file, and a file that is renamed "
                     "to it would take its place");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(Commands, LogitsThatDoNotFitTheDiskLeaveNothing) {
  std::string out = folder + "out.npy";
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = {4096, before.rlim_max};
  std::string ids = put("ids", "1 2 3 4 5 6 7 8 9");
  setrlimit(RLIMIT_FSIZE, &small);
  Outcome outcome = run({"logits", "--ids", ids, "-o", out});
  setrlimit(RLIMIT_FSIZE, &before);
  expectError(outcome, out + ": error: cannot write the file: File too large");
  for (const auto &entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().string().find(".npy"), std::string::npos)
        << entry.path();
}

TEST_F(Commands, TokenizeAndDetokenizeAreInverse) {
  EXPECT_EQ(run({"tokenize", "hi<|im_end|>!"}).out, "104 105 256 33\n");
  EXPECT_EQ(run({"tokenize", "-"}, "\xc3\xa9\n").out, "195 169 10\n");
  EXPECT_EQ(run({"detokenize", "104", "105", "256,33"}).out, "hi<|im_end|>!");
  EXPECT_EQ(run({"detokenize", "104 256", "--skip-special"}).out, "h");
  EXPECT_EQ(run({"detokenize", "-"}, "195 169").out, "\xc3\xa9");
  EXPECT_EQ(run({"detokenize", "--ids", put("ids", "195")}).out,
            "\xef\xbf\xbd");
  expectError(run({"detokenize", "1 x"}),
              "ids:1:3: error: `x` is not a token id");
}

TEST_F(Commands, PerplexityIsThatOfTheToysLogits) {
  const std::vector<int32_t> ids = {3, 4, 9, 10, 11, 200, 7};
  auto surprise = [&](size_t from, size_t at) {
    std::vector<float> row =
        toy::expectedLogits(std::span(ids).subspan(from, at - from));
    double sum = 0;
    for (float logit : row)
      sum += std::exp(double{logit});
    return std::log(sum) - row[static_cast<size_t>(ids[at])];
  };
  // Windows of 4: 3 4 9 10, then 11 200 7.
  double nats = surprise(0, 1) + surprise(0, 2) + surprise(0, 3) +
                surprise(4, 5) + surprise(4, 6);
  char expected[100];
  snprintf(expected, sizeof(expected),
           "perplexity %.4f over 5 predicted tokens of 7\n",
           std::exp(nats / 5));
  EXPECT_EQ(run({"perplexity", "--ids", put("ids", "3 4 9 10 11 200 7"),
                 "--window", "4"})
                .out,
            expected);
  EXPECT_EQ(run({"perplexity", put("text", "abcdef")}).exitCode, 0);
  expectError(run({"perplexity", "--ids", put("one", "3")}),
              "qwen_toy_app: error: 1 tokens; at least 2 are needed");
  expectError(run({"perplexity", "--ids", "x", "--window", "301"}),
              "qwen_toy_app: error: --window is 301; it is 2 to 300");
}

TEST_F(Commands, InfoIsJson) {
  auto info = nlohmann::json::parse(run({"info", "--json"}).out);
  EXPECT_EQ(info["target"], "baseline");
  EXPECT_EQ(info["runs_here"], true);
  EXPECT_EQ(info["fingerprint"], "000102030405060708090a0b0c0d0eff");
  EXPECT_EQ(info["plan"]["context"], toy::kContext);
  EXPECT_EQ(info["weights"]["tokenizer"], true);
  EXPECT_EQ(info["description"]["model"], "toy");
  EXPECT_NE(run({"info"}).out.find("plan.vocab_size: 300\n"),
            std::string::npos);
  // Without weights it still tells what it is.
  EXPECT_TRUE(nlohmann::json::parse(runToy({"info", "--json"}).out)["weights"]
                  .is_null());
}

TEST_F(Commands, BenchReportsEveryCombination) {
  Outcome outcome = run({"bench", "-p", "16", "-n", "4", "--depth", "0,32",
                         "-t", "1,2", "-r", "1", "--json"});
  ASSERT_EQ(outcome.exitCode, 0) << outcome.err;
  auto results = nlohmann::json::parse(outcome.out)["results"];
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[1]["depth"], 32);
  EXPECT_EQ(results[2]["threads"], 2);
  for (const auto &row : results) {
    EXPECT_EQ(row["prompt"], 16);
    EXPECT_EQ(row["generate"], 4);
    for (const char *key : {"prefill_tok_s", "decode_tok_s", "load_s",
                            "peak_rss_mb", "read_gb_s", "roof_gb_s"})
      EXPECT_GT(row[key].get<double>(), 0) << key;
    EXPECT_EQ(row["barriers_per_token"], 3) << row.dump();
    double cached = row["depth"].get<double>() + 2;
    EXPECT_NEAR(row["read_gb_s"].get<double>(),
                row["decode_tok_s"].get<double>() * (64 + 4 * cached) * 1e-9,
                1e-12);
  }
  expectError(run({"bench", "-p", "290", "--depth", "20"}),
              "qwen_toy_app: error: -p is 290; after 20 tokens the context of "
              "300 has room for 0 to 280");
  expectError(run({"bench", "--depth", "300"}),
              "qwen_toy_app: error: --depth is 300; it is 0 to 299");
}

} // namespace
} // namespace qwen
