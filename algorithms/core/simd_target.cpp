#include "core/simd_target.h"

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/simd_target.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(target_name);

}  // namespace

std::string simd_target() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace fullconv
#endif
