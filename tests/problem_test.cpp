// The text form of problems and cases, their validation, and views.

#include "fullconv/problem.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "expect_error.h"
#include "support/case.h"

namespace fullconv::testing {
namespace {

constexpr index_t kMost = std::numeric_limits<index_t>::max();

TEST(ProblemText, IsCanonical) {
  EXPECT_EQ(to_string(Problem{.H = 8, .W = 9, .h = 5, .w = 4}), "8x9_k5x4");
  EXPECT_EQ(to_string(Problem{.N = 8, .K = 64, .C = 32, .H = 56, .W = 57, .h = 3, .w = 2}),
            "n8_i64_o32_56x57_k3x2");
  EXPECT_EQ(to_string(Problem{.N = 2}), "n2_i1_o1_1x1_k1x1");
  EXPECT_EQ(to_string(Problem{.K = 2}), "n1_i2_o1_1x1_k1x1");
  EXPECT_EQ(to_string(Problem{.C = 2}), "n1_i1_o2_1x1_k1x1");
}

TEST(ProblemText, GivesTheProblemBack) {
  const Problem layer{.N = 8, .K = 64, .C = 32, .H = 56, .W = 57, .h = 3, .w = 2};
  EXPECT_EQ(parse_problem("n8_i64_o32_56x57_k3x2"), layer);
  for (const index_t N : {1, 2, 17})
    for (const index_t C : {1, 3})
      for (const index_t H : {1, 8, 4096})
        for (const index_t w : {1, 127}) {
          const Problem problem{.N = N, .K = C + N - 1, .C = C, .H = H, .W = 3, .h = 2, .w = w};
          EXPECT_EQ(parse_problem(to_string(problem)), problem);
        }
}

TEST(ProblemText, NamesTheFieldsOfLayersInOrder) {
  const Problem layer{.N = 1,
                      .K = 64,
                      .C = 64,
                      .H = 56,
                      .W = 56,
                      .h = 3,
                      .w = 3,
                      .padding = {.top = 1, .left = 2, .bottom = 3, .right = 4},
                      .stride = {2, 3},
                      .dilation = {4, 5},
                      .groups = 32,
                      .output_padding = {1, 0}};
  EXPECT_EQ(to_string(layer), "n1_i64_o64_56x56_k3x3_p1x2x3x4_s2x3_d4x5_g32_op1x0");
  EXPECT_EQ(parse_problem(to_string(layer)), layer);
  for (const char* text :
       {"8x8_k5x5_p1x0x0x0", "8x8_k5x5_s1x2", "8x8_k5x5_d2x1", "8x8_k5x5_s2x2_op0x1",
        "n1_i4_o6_8x8_k5x5_g2", "n1_i64_o64_56x56_k3x3_p1x1x1x1_s2x2_op1x1"}) {
    EXPECT_EQ(to_string(parse_problem(text)), text);
  }
}

TEST(ProblemText, LeavesOutNeutralFields) {
  EXPECT_EQ(to_string(parse_problem("8x8_k5x5_p0x0x0x0_s1x1_d1x1_g1_op0x0")), "8x8_k5x5");
}

TEST(ProblemText, TakesTheLongFormForPlanes) {
  EXPECT_EQ(parse_problem("n1_i1_o1_8x8_k5x5"), parse_problem("8x8_k5x5"));
}

TEST(ProblemText, IsRefusedWhereMalformed) {
  for (const char* text : {"",
                           " ",
                           "8",
                           "8x8",
                           "8x8_",
                           "8x8_k",
                           "8x8_k5",
                           "8x8_k5x",
                           "x8_k5x5",
                           "8x_k5x5",
                           "8_k5x5",
                           "8x8k5x5",
                           "8x8_5x5",
                           "8x8_K5x5",
                           "8X8_k5x5",
                           "8x8_k5x5_",
                           "8x8_k5x5x",
                           "8x8_k5x5 ",
                           " 8x8_k5x5",
                           "8x8 _k5x5",
                           "8x8_k5x5\n",
                           "8x8_k5x5_gauss",
                           "8x8_k5x5_p1x1",
                           "8x8_k5x5_p1x1x1x",
                           "8x8_k5x5_p1x1x1x1x1",
                           "8x8_k5x5_p-1x1x1x1",
                           "8x8_k5x5_s2",
                           "8x8_k5x5_s2x",
                           "8x8_k5x5_d2x2_s2x2",
                           "8x8_k5x5_s2x2_p1x1x1x1",
                           "8x8_k5x5_op1x1_g1",
                           "8x8_k5x5_g",
                           "8x8_k5x5_g1x1",
                           "8x8_k5x5_op1",
                           "8x8_k5x5_s2x2_s2x2",
                           "8x8_k5x5_s02x2",
                           "+8x8_k5x5",
                           "-8x8_k5x5",
                           "8x-8_k5x5",
                           "08x8_k5x5",
                           "8x8_k05x5",
                           "0x08_k5x5",
                           "8.0x8_k5x5",
                           "8e1x8_k5x5",
                           "0x8x8_k5x5",
                           "0x10x8_k5x5",
                           "ax8_k5x5",
                           "8x8_kaxb",
                           "nxm",
                           "n2_8x8_k5x5",
                           "n2_i3_8x8_k5x5",
                           "i3_o4_8x8_k5x5",
                           "n2_o4_i3_8x8_k5x5",
                           "n2_i3_o4",
                           "n2_i3_o4_",
                           "n2i3o4_8x8_k5x5",
                           "n2_i3_o4_8x8",
                           "n_i3_o4_8x8_k5x5",
                           "n2_i_o4_8x8_k5x5",
                           "n2_i3_o_8x8_k5x5",
                           "n-2_i3_o4_8x8_k5x5",
                           "N2_i3_o4_8x8_k5x5",
                           "n2_i3_o4_n2_8x8_k5x5",
                           "99999999999999999999x8_k5x5",
                           "9223372036854775808x1_k1x1"}) {
    SCOPED_TRACE(text);
    expect_error<std::invalid_argument>([&] { parse_problem(text); },
                                        {"malformed problem", "8x8_k5x5"});
  }
  EXPECT_THROW(parse_problem(std::string_view("8x8_k5x5\0", 9)), std::invalid_argument);
}

TEST(ProblemText, IsNamedInComplaints) {
  expect_error<std::invalid_argument>([] { parse_problem("8x8_q5x5"); }, {"'8x8_q5x5'"});
}

TEST(ProblemFields, AreCheckedByName) {
  struct Complaint {
    const char *text, *words;
  };
  for (const auto& [text, words] : {
           Complaint{"8x8_k5x5_s0x1", "stride of 0: it must be at least 1"},
           Complaint{"8x8_k5x5_d1x0", "dilation of 0: it must be at least 1"},
           Complaint{"n1_i4_o4_8x8_k5x5_g0", "0 groups"},
           Complaint{"n1_i4_o6_8x8_k5x5_g4", "4 groups, which do not divide the 6 channels of y"},
           Complaint{"n1_i6_o4_8x8_k5x5_g4", "4 groups, which do not divide the 6 channels of x"},
           Complaint{"8x8_k5x5_op1x0", "output padding of 1 rows"},
           Complaint{"8x8_k5x5_s2x3_op1x3", "output padding of 3 columns"},
           Complaint{"8x8_k5x5_p6x0x6x0", "no output rows"},
           Complaint{"8x8_k5x5_p0x12x0x0", "no output columns"},
           Complaint{"8x8_k5x5_s4611686018427387904x1", "overflow"},
           Complaint{"8x8_k5x5_d1x9223372036854775807", "overflow"},
           Complaint{"8x8_k5x5_p9223372036854775807x0x0x0", "overflow"},
           Complaint{"2x8_k1x5_s1152921504606846976x1", "overflow"},
       }) {
    SCOPED_TRACE(text);
    expect_error<std::invalid_argument>([text = text] { parse_problem(text); },
                                        {std::string("'") + text + "'", words});
  }
  expect_error<std::invalid_argument>([] { validate({.padding = {.left = -1}}); },
                                      {"padding of -1", "at least 0"});
  expect_error<std::invalid_argument>(
      [] {
        validate({.output_padding = {0, -1}});
      },
      {"output padding of -1"});
  expect_error<std::invalid_argument>([] { validate({.stride = {1, -2}}); }, {"stride of -2"});
}

TEST(ProblemFields, MakeTheShapeOfY) {
  const auto y = [](const char* text) { return parse_problem(text).y_extents(); };
  EXPECT_EQ(y("n1_i64_o32_56x56_k3x3_p1x1x1x1"), (Extents{1, 32, 56, 56}));
  EXPECT_EQ(y("n1_i64_o32_56x56_k3x3_p1x1x1x1_s2x2_op1x1"), (Extents{1, 32, 112, 112}));
  EXPECT_EQ(y("5x5_k3x4_p1x2x3x4_s2x3_d4x5_op3x0"), (Extents{1, 1, 16, 22}));
  EXPECT_EQ(y("1x1_k1x1_p1x0x1x0_s3x1_op2x0"), (Extents{1, 1, 1, 1}));
  EXPECT_EQ(parse_problem("n2_i4_o6_8x8_k5x5_g2").k_extents(), (Extents{4, 3, 5, 5}));
  EXPECT_EQ(parse_problem("n2_i4_o6_8x8_k5x5_s2x2_g2").multiply_adds(), 2 * 4 * 3 * 64 * 25);
}

TEST(ProblemSizes, MustBePositive) {
  for (const char* text : {"0x8_k5x5", "8x0_k5x5", "8x8_k0x5", "8x8_k5x0", "n0_i1_o1_8x8_k5x5",
                           "n1_i0_o1_8x8_k5x5", "n1_i1_o0_8x8_k5x5"}) {
    SCOPED_TRACE(text);
    expect_error<std::invalid_argument>([&] { parse_problem(text); },
                                        {text, "size of 0", "at least 1"});
  }
  expect_error<std::invalid_argument>([] { validate({.H = -3}); }, {"size of -3"});
  expect_error<std::invalid_argument>([] { validate({.N = std::numeric_limits<index_t>::min()}); },
                                      {"at least 1"});
}

TEST(ProblemSizes, MustNotOverflow) {
  for (const Problem& problem : {
           Problem{.H = kMost, .W = 2},  // x
           Problem{.N = 1 << 16, .K = 1 << 16, .H = 1 << 16, .W = 1 << 15},
           Problem{.H = 1 << 30, .W = 1 << 30},                // its bytes
           Problem{.h = kMost, .w = kMost},                    // k
           Problem{.K = 1 << 30, .C = 1 << 30},                //
           Problem{.H = kMost, .h = 2},                        // H+h−1
           Problem{.W = kMost, .w = kMost},                    // W+w−1
           Problem{.H = kMost, .h = kMost},                    //
           Problem{.N = kMost, .C = kMost},                    // y
           Problem{.N = 1 << 25, .K = 1 << 25, .C = 1 << 25},  // multiply-adds
           Problem{
               .N = kMost, .K = kMost, .C = kMost, .H = kMost, .W = kMost, .h = kMost, .w = kMost},
       }) {
    SCOPED_TRACE(to_string(problem));
    expect_error<std::invalid_argument>([&] { validate(problem); },
                                        {to_string(problem), "overflow"});
  }
}

TEST(ProblemSizes, MayBeLarge) {
  EXPECT_NO_THROW(validate({.H = index_t{1} << 59}));
  EXPECT_NO_THROW(validate(parse_problem("2048x2048_k127x127")));
  EXPECT_NO_THROW(validate(parse_problem("n256_i512_o512_224x224_k3x3")));
  EXPECT_NO_THROW(validate(parse_problem("100000x100000_k31x31")));
}

TEST(ProblemSizes, GiveTheShapes) {
  const Problem problem = parse_problem("n2_i3_o4_17x13_k5x7");
  EXPECT_EQ(problem.x_extents(), (Extents{2, 3, 17, 13}));
  EXPECT_EQ(problem.k_extents(), (Extents{3, 4, 5, 7}));
  EXPECT_EQ(problem.y_extents(), (Extents{2, 4, 21, 19}));
  EXPECT_EQ(problem.multiply_adds(), 2 * 3 * 4 * 17 * 13 * 5 * 7);
}

TEST(View, OfDenseTensorsHasRowMajorStrides) {
  std::array<int, 2 * 3 * 4 * 5> cells{};
  const TensorView<int> view(cells.data(), {2, 3, 4, 5});
  EXPECT_EQ(view.strides, (Extents{60, 20, 5, 1}));
  view(1, 2, 3, 4) = 7;
  EXPECT_EQ(cells.back(), 7);
  const TensorView<const int> read_only = view;
  EXPECT_EQ(&read_only(1, 2, 3, 4), &cells.back());
}

TEST(View, OfOnePlaneHasNeitherBatchNorChannels) {
  std::array<float, 6> cells{};
  const TensorView<float> view(cells.data(), 2, 3);
  EXPECT_EQ(view.extents, (Extents{1, 1, 2, 3}));
  EXPECT_EQ(&view(0, 0, 1, 2), &cells.back());
}

TEST(View, MayRunBackwards) {
  std::array<int, 4> cells{1, 2, 3, 4};
  const TensorView<int> view(&cells.back(), {1, 1, 2, 2}, {0, 0, -2, -1});
  EXPECT_EQ(view(0, 0, 0, 0), 4);
  EXPECT_EQ(view(0, 0, 1, 1), 1);
}

TEST(CaseText, NamesTheFamily) {
  for (const char* text :
       {"8x8_k5x5", "8x8_k5x5_ints", "8x8_k5x5_gauss", "8x8_k5x5_box", "n2_i3_o4_8x8_k5x5_rank2",
        "8x8_k5x5_huge", "8x8_k5x5_tiny", "8x8_k5x5_subnormal", "8x8_k5x5_scaled", "8x8_k5x5_wide",
        "8x8_k5x5_dead", "8x8_k5x5_nonfinite"}) {
    EXPECT_EQ(to_string(parse_case(text)), text);
  }
  EXPECT_EQ(parse_case("8x8_k5x5").family, Family::random);
  EXPECT_EQ(parse_case("8x8_k5x5_rank2").family, Family::rank2);
  for (const char* text : {"8x8_k5x5_", "8x8_k5x5_none", "_ints", "8x8_k5x5_ints_ints", "ints"}) {
    SCOPED_TRACE(text);
    expect_error<std::invalid_argument>([&] { parse_case(text); }, {"malformed problem"});
  }
}

class CaseFile : public ::testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path_) << text; }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = ::testing::TempDir() + "fullconv_cases_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(CaseFile, HoldsOneCaseALine) {
  write(
      "# all of them\n\n  8x8_k5x5   # the first\r\n\tn2_i3_o4_9x9_k3x3_ints\n#8x8_k1x1\n7x7_k2x2");
  std::vector<std::string> read;
  for (const Case& c : read_cases(path_)) read.push_back(to_string(c));
  EXPECT_EQ(read, (std::vector<std::string>{"8x8_k5x5", "n2_i3_o4_9x9_k3x3_ints", "7x7_k2x2"}));
}

TEST_F(CaseFile, NamesTheLineThatIsMalformed) {
  write("8x8_k5x5\n\n8x8_k5y5\n");
  expect_error<std::invalid_argument>([&] { read_cases(path_); }, {path_ + ":3:", "'8x8_k5y5'"});
}

TEST_F(CaseFile, MustBeReadable) {
  expect_error<std::runtime_error>([&] { read_cases(path_); }, {path_});
  expect_error<std::runtime_error>([&] { read_cases(::testing::TempDir()); }, {"cannot read"});
}

}  // namespace
}  // namespace fullconv::testing
