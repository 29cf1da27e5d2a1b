import unittest

from support import FolderTest

from fullconv_scripts.names import (
    base_name,
    parse_benchmark_name,
    parse_case,
    read_cases,
    short_names,
)


class Cases(unittest.TestCase):
    def test_plane(self):
        case = parse_case("257x300_k9x4")
        self.assertEqual((case.H, case.W, case.h, case.w), (257, 300, 9, 4))
        self.assertEqual((case.N, case.K, case.C), (1, 1, 1))
        self.assertFalse(case.layer)
        self.assertEqual(case.family, "")

    def test_layer(self):
        case = parse_case("n8_i64_o32_56x57_k3x5")
        self.assertEqual((case.N, case.K, case.C), (8, 64, 32))
        self.assertTrue(case.layer)
        self.assertEqual(case.multiply_adds, 8 * 64 * 32 * 56 * 57 * 3 * 5)
        x, k, y = 8 * 64 * 56 * 57, 64 * 32 * 3 * 5, 8 * 32 * 58 * 61
        self.assertEqual(case.values, x + k + y)

    def test_fields_of_a_layer(self):
        case = parse_case("n2_i4_o6_5x7_k3x4_p1x2x3x0_s2x3_d4x5_g2_op3x0_ints")
        self.assertEqual((case.padding, case.stride, case.dilation), ((1, 2, 3, 0), (2, 3), (4, 5)))
        self.assertEqual((case.groups, case.output_padding, case.family), (2, (3, 0), "ints"))
        self.assertEqual(case.outputs, (4 * 2 + 2 * 4 + 1 - 4 + 3, 6 * 3 + 3 * 5 + 1 - 2))
        self.assertEqual(case.multiply_adds, 2 * 4 * 3 * 5 * 7 * 3 * 4)
        x, k, y = 2 * 4 * 5 * 7, 4 * 3 * 3 * 4, 2 * 6 * 16 * 32
        self.assertEqual(case.values, x + k + y)

    def test_a_cropped_plane_is_a_layer(self):
        self.assertTrue(parse_case("8x8_k5x5_p1x0x0x0").layer)
        self.assertFalse(parse_case("8x8_k5x5_gauss").layer)

    def test_family(self):
        for family in ("ints", "gauss", "box", "rank2", "huge", "tiny", "scaled", "wide", "dead", "nonfinite"):
            self.assertEqual(parse_case(f"24x20_k5x3_{family}").family, family)
        self.assertEqual(parse_case("24x20_k5x3_s2x2_gauss").family, "gauss")

    def test_malformed(self):
        malformed = "8x8 8x8k5x5 8x8_k5 0x8_k5x5 n1_8x8_k5x5 8x8_k5x5_ -8x8_k5x5".split()
        malformed += "8x8_k5x5_p1x1 8x8_k5x5_s0x1 8x8_k5x5_s2x2_p1x1x1x1 8x8_k5x5_p9x9x9x9".split()
        malformed += "n1_i4_o6_8x8_k5x5_g4 8x8_k5x5_op1 8x8_k5x5_s2x2x2".split()
        for text in ["", *malformed]:
            with self.subTest(text), self.assertRaisesRegex(ValueError, "no case"):
                parse_case(text)


class CaseFiles(FolderTest):
    def test_comments_and_remarks(self):
        path = self.folder / "cases.txt"
        path.write_text("# all\n\n 8x8_k5x5 \n9x9_k2x2   # conv1: 3 → 64\n8x8_k5x5 # again\n")
        cases = read_cases(str(path))
        self.assertEqual(
            {case.text: remark for case, remark in cases.items()},
            {"8x8_k5x5": "", "9x9_k2x2": "conv1: 3 → 64"},
        )

    def test_malformed_line_is_named(self):
        path = self.folder / "cases.txt"
        path.write_text("8x8_k5x5\n8x8\n")
        with self.assertRaisesRegex(ValueError, r"cases\.txt:2: '8x8' is no case"):
            read_cases(str(path))


class BenchmarkNames(unittest.TestCase):
    def test_five_fields(self):
        name = parse_benchmark_name("oneshot/fft/f64/n2_i3_o4_14x14_k3x3/threads:12/real_time")
        self.assertEqual(
            (name.phase, name.algorithm, name.scalar, name.case, name.threads),
            ("oneshot", "fft", "f64", "n2_i3_o4_14x14_k3x3", 12),
        )

    def test_nothing_need_follow(self):
        self.assertEqual(parse_benchmark_name("plan/fft/f32/8x8_k5x5/threads:1").threads, 1)

    def test_cold_plans_are_a_phase_of_their_own(self):
        name = "plan/fft/f32/8x8_k5x5/threads:1/cold/real_time"
        self.assertEqual(parse_benchmark_name(name).phase, "cold plan")

    def test_modes(self):
        plain = parse_benchmark_name("execute/fft/f32/8x8_k5x5/threads:1/real_time")
        self.assertEqual((plain.cache, plain.output), ("hot", "reused"))
        name = "execute/fft/f32/8x8_k5x5/threads:1/cache:cold/output:fresh/manual_time"
        found = parse_benchmark_name(name)
        self.assertEqual((found.phase, found.cache, found.output), ("execute", "cold", "fresh"))

    def test_handicapped(self):
        name = parse_benchmark_name("execute/fft+10/f32/8x8_k5x5/threads:1/iterations:100")
        self.assertEqual(name.algorithm, "fft+10")
        self.assertEqual(base_name(name.algorithm), "fft")
        self.assertEqual(base_name("fft"), "fft")

    def test_with_an_instruction_set(self):
        for text in ("direct_simd@AVX2", "direct_simd@N_SSE4", "direct_simd@AVX3_DL+5"):
            name = parse_benchmark_name(f"execute/{text}/f32/8x8_k5x5/threads:1")
            self.assertEqual(name.algorithm, text)
            self.assertEqual(base_name(name.algorithm), "direct_simd")

    def test_foreign(self):
        for text in (
            "BM_memcpy/8",
            "execute/fft/f16/8x8_k5x5/threads:1",
            "execute/fft+/f32/8x8_k5x5/threads:1",
            "execute/fft@/f32/8x8_k5x5/threads:1",
            "fma_peak/f32/threads:1",
        ):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_benchmark_name(text)


class ShortNames(unittest.TestCase):
    def test_cut_where_unambiguous(self):
        names = ["naive_branching", "fft", "fft_overlap_save", "low_rank", "lower"]
        self.assertEqual(
            short_names(names),
            {
                "naive_branching": "naive",
                "fft": "fft",
                "fft_overlap_save": "fft_overlap",
                "low_rank": "low",
                "lower": "lower",
            },
        )

    def test_all_differ(self):
        names = ["a_b_c", "a_b_d", "a_c", "a"]
        self.assertEqual(len(set(short_names(names).values())), len(names))


if __name__ == "__main__":
    unittest.main()
