#pragma once

// Which instruction sets Highway compiles a file for. For inclusion before <hwy/foreach_target.h>.

// A build for one processor (-march=native) needs no dispatch at run time. One for a level such as
// x86-64-v3 does: that has AVX2 without AES, in which Highway sees no more than SSSE3.
#if defined(__AVX2__) && defined(__AES__) && defined(__PCLMUL__) && \
    !defined(HWY_COMPILE_ONLY_STATIC)
#define HWY_COMPILE_ONLY_STATIC
#endif
// Arrays of vectors need to know their size.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
