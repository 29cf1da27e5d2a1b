#include "layer_flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <span>
#include <vector>

#include "errors.h"

namespace fullconv::cli {
namespace {

/// The numbers of `1`, `1x2` or `1x2x3x4`; none where it is none of these.
std::vector<index_t> numbers(std::string_view text) {
  std::vector<index_t> all;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    index_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{}) return {};
    all.push_back(number);
    if (next == end) return all;
    if (*next != 'x') return {};
    at = next + 1;
  }
}

UsageError bad_flag(std::string_view flag, std::string_view text, std::string_view expected) {
  return UsageError(fmt::format("{} is '{}': expected {}", flag, text, expected));
}

/// One number for both axes, or one for each.
PerAxis both(std::string_view flag, const std::string& text) {
  const std::vector<index_t> given = numbers(text);
  if (given.size() == 1) return {given[0], given[0]};
  if (given.size() == 2) return {given[0], given[1]};
  throw bad_flag(flag, text, "one number or YxX");
}

Padding sides(std::string_view flag, const std::string& text) {
  const std::vector<index_t> given = numbers(text);
  if (given.size() == 1) return {given[0], given[0], given[0], given[0]};
  if (given.size() == 2) return {given[0], given[1], given[0], given[1]};
  if (given.size() == 4) return {given[0], given[1], given[2], given[3]};
  throw bad_flag(flag, text, "one number, YxX or TxLxBxR");
}

/// What is left out before and after the outputs of one axis.
struct Cut {
  index_t before, after;
};

/// As large as the image, from the middle of the full output.
Cut same_cut(index_t, index_t taps) { return {(taps - 1) / 2, taps / 2}; }

/// Where image and kernel overlap wholly.
Cut valid_cut(index_t size, index_t taps) {
  const index_t smaller = std::min(size, taps);
  return {smaller - 1, smaller - 1};
}

Padding padding_of(Cut rows, Cut columns) {
  return {.top = rows.before, .left = columns.before, .bottom = rows.after, .right = columns.after};
}

Padding padding_of_mode(const std::string& mode, const Problem& p) {
  if (mode == "full") return {};
  if (mode == "same") return padding_of(same_cut(p.H, p.h), same_cut(p.W, p.w));
  if ((p.H - p.h > 0 && p.W - p.w < 0) || (p.H - p.h < 0 && p.W - p.w > 0)) {
    throw bad_flag("--mode", mode,
                   "one of image and kernel to be at least as large as the other in both axes");
  }
  return padding_of(valid_cut(p.H, p.h), valid_cut(p.W, p.w));
}

/// What an axis needs beside its outputs to have the given size.
index_t output_padding_for(index_t wanted, index_t outputs, PerAxis steps, std::string_view text) {
  const index_t beside = wanted - outputs;
  if (beside < 0 || beside >= std::max(steps.y, steps.x)) {
    throw bad_flag("--output-size", text,
                   fmt::format("a size that the layer could have had, from {} to {} instead of {}",
                               outputs, outputs + std::max(steps.y, steps.x) - 1, wanted));
  }
  return beside;
}

}  // namespace

void LayerFlags::add_to(CLI::App& command) {
  const auto add = [&](const char* flag, std::string& text, const char* type, const char* help) {
    command.add_option(flag, text, help)->type_name(type);
  };
  add("--stride", stride_, "S", "Of the layer: one number or YxX");
  add("--padding", padding_, "P", "Of the layer: one number, YxX or TxLxBxR");
  add("--dilation", dilation_, "D", "Of the layer: one number or YxX");
  add("--groups", groups_, "G", "Of the layer's channels");
  add("--output-padding", output_padding_, "O", "Rows and columns beside y: one number or YxX");
  add("--output-size", output_size_, "HxW", "Of y, as the layer's input had: sets output padding");
  command.add_option("--mode", mode_, "SciPy's, for planes without stride and padding")
      ->check(CLI::IsMember({"full", "same", "valid"}));
}

bool LayerFlags::given() const {
  for (const std::string* text :
       {&stride_, &padding_, &dilation_, &groups_, &output_padding_, &output_size_, &mode_}) {
    if (!text->empty()) return true;
  }
  return false;
}

Problem LayerFlags::layer_of(Problem layer, bool is_plane) const {
  if (!mode_.empty()) {
    for (const auto& [flag, text] : {std::pair("--stride", stride_),
                                     {"--padding", padding_},
                                     {"--dilation", dilation_},
                                     {"--groups", groups_},
                                     {"--output-padding", output_padding_},
                                     {"--output-size", output_size_}}) {
      if (!text.empty()) {
        throw UsageError(
            fmt::format("both --mode and {} given: --mode is for planes without stride "
                        "and padding",
                        flag));
      }
    }
    if (!is_plane) throw bad_flag("--mode", mode_, "a 2-D kernel with it");
    layer.padding = padding_of_mode(mode_, layer);
    return layer;
  }
  if (!groups_.empty()) {
    const std::vector<index_t> given = numbers(groups_);
    if (given.size() != 1) throw bad_flag("--groups", groups_, "one number");
    layer.groups = given[0];
    // A file of weights has the channels of one group.
    if (layer.groups >= 1 && __builtin_mul_overflow(layer.C, layer.groups, &layer.C)) {
      throw bad_flag("--groups", groups_, "fewer");
    }
  }
  if (!stride_.empty()) layer.stride = both("--stride", stride_);
  if (!padding_.empty()) layer.padding = sides("--padding", padding_);
  if (!dilation_.empty()) layer.dilation = both("--dilation", dilation_);
  if (!output_padding_.empty()) layer.output_padding = both("--output-padding", output_padding_);
  if (output_size_.empty()) return layer;

  if (!output_padding_.empty()) {
    throw UsageError("both --output-size and --output-padding given: expected one of them");
  }
  const std::vector<index_t> size = numbers(output_size_);
  if (size.size() != 2) throw bad_flag("--output-size", output_size_, "HxW");
  Problem largest = layer;
  largest.output_padding = {std::max(layer.stride.y, layer.dilation.y) - 1,
                            std::max(layer.stride.x, layer.dilation.x) - 1};
  validate(largest);
  layer.output_padding = {output_padding_for(size[0], layer.output_rows(),
                                             {layer.stride.y, layer.dilation.y}, output_size_),
                          output_padding_for(size[1], layer.output_columns(),
                                             {layer.stride.x, layer.dilation.x}, output_size_)};
  return layer;
}

}  // namespace fullconv::cli
