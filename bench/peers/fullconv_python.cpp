// This library as Python's users call it: convolve2d for a plane, conv_transpose2d for a layer. It
// is no other library, but stands beside SciPy and PyTorch, which are called the same way.

#include <algorithm>
#include <tuple>

#include "fullconv/ran.h"
#include "peers/registry.h"
#include "peers/remote.h"

namespace fullconv::bench {
namespace {

std::vector<std::string> start_worker() {
  return python_worker("fullconv", "PYTHONPATH='" FULLCONV_PYTHON_PACKAGE "'");
}
constexpr Library kFullconv{.name = "fullconv's Python module", .worker = start_worker};

double output(const Problem& problem) { return elements(problem.y_extents()); }

/// As PyTorch's function, whose arguments it takes.
std::string refusal(const Problem& problem) {
  const auto& [stride, dilation, extra] =
      std::tie(problem.stride, problem.dilation, problem.output_padding);
  const bool fits =
      extra.y < std::max(stride.y, dilation.y) && extra.x < std::max(stride.x, dilation.x);
  return fits ? "" : "output padding: as large as both stride and dilation";
}

constexpr RemoteFunction kConvolve{kFullconv, "convolve", output, refusal};

constinit const Algorithm kRow{
    .name = "fullconv_python",
    .summary = "auto, called from Python on NumPy arrays",
    .error_model = kErrorOfChoice,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .layers = Layers::native,
    .delegates = Delegates::always,
    .plan_f32 = plan<float, kConvolve>,
    .plan_f64 = plan<double, kConvolve>,
};

}  // namespace

constinit const Contender peer::fullconv_python{
    .algorithm = &kRow,
    .kind = Kind::binding,
    .ledger = {.plan = Inclusion::outside,
               .allocation = Inclusion::inside,
               .language_call = Inclusion::inside,
               .note = "plans are kept from call to call; layers are bounded componentwise; "
                       "threads are started before the clock and ended after it"},
    .version = version<kFullconv>,
    .remote = true,
};

}  // namespace fullconv::bench
