// Octave's conv2(x, k), in an Octave of its own. For each tap it adds the scaled image, column by
// column; being column-major, it sees transposed planes.

#include "peers/registry.h"
#include "peers/remote.h"

namespace fullconv::bench {
namespace {

std::vector<std::string> start_worker() {
  return {"env",
          "OMP_NUM_THREADS=1",
          "OPENBLAS_NUM_THREADS=1",
          "octave-cli",
          "--norc",
          "--silent",
          "--no-history",
          "--no-line-editing",
          FULLCONV_WORKERS "/octave_worker.m"};
}
constexpr Library kOctave{.name = "Octave", .worker = start_worker};

constexpr RemoteFunction kConv2{kOctave, "conv2", scratch_of_planes};

constinit const Algorithm kRow{
    .name = "octave_conv2",
    .summary = "Octave's conv2 on transposed planes, channels summed plane by plane",
    .error_model = ErrorModel::componentwise,
    // It skips taps of zero, also where the sample is NaN or Inf.
    .non_finite = NonFinite::unspecified,
    .layers = Layers::none,
    .plan_f32 = plan<float, kConv2>,
    .plan_f64 = plan<double, kConv2>,
};

}  // namespace

constinit const Contender peer::octave_conv2{
    .algorithm = &kRow,
    .kind = Kind::peer,
    .ledger = {.plan = Inclusion::none,
               .allocation = Inclusion::inside,
               .kernel_transform = Inclusion::none,
               .language_call = Inclusion::inside,
               .note = "tic and toc count microseconds; layers are a loop over planes in Octave; a "
                       "tap of 0 is skipped, so that 0·Inf is 0"},
    .version = version<kOctave>,
    .remote = true,
};

}  // namespace fullconv::bench
