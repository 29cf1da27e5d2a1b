#pragma once

#include <oneapi/dnnl/dnnl.hpp>

// Where versions of oneDNN differ: version 2 describes an operation first and makes a primitive's
// description from that, version 3 makes it from the arguments.
namespace fullconv::bench {

/// A convolution's axes: along rows, then along columns.
struct ConvolutionAxes {
  dnnl::memory::dims strides;
  dnnl::memory::dims dilations;  // 0 where neighbours are adjacent
  dnnl::memory::dims padding_before;
  dnnl::memory::dims padding_after;
};

// Winograd would be another algorithm, with another error.
constexpr auto kDirectConvolution = dnnl::algorithm::convolution_direct;

inline dnnl::convolution_forward::primitive_desc describe_forward(
    const dnnl::engine& engine, dnnl::prop_kind kind, const dnnl::memory::desc& source,
    const dnnl::memory::desc& weights, const dnnl::memory::desc& destination,
    const ConvolutionAxes& axes, const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine,
          kind,
          kDirectConvolution,
          source,
          weights,
          destination,
          axes.strides,
          axes.dilations,
          axes.padding_before,
          axes.padding_after,
          attributes};
#else
  return {{kind, kDirectConvolution, source, weights, destination, axes.strides, axes.dilations,
           axes.padding_before, axes.padding_after},
          attributes,
          engine};
#endif
}

/// By data: the gradient at the source, given the one at the destination. `forward` is a hint.
inline dnnl::convolution_backward_data::primitive_desc describe_backward(
    const dnnl::engine& engine, const dnnl::memory::desc& source, const dnnl::memory::desc& weights,
    const dnnl::memory::desc& destination, const ConvolutionAxes& axes,
    const dnnl::convolution_forward::primitive_desc& forward,
    const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine,         kDirectConvolution,  source,
          weights,        destination,         axes.strides,
          axes.dilations, axes.padding_before, axes.padding_after,
          forward,        attributes};
#else
  return {{kDirectConvolution, source, weights, destination, axes.strides, axes.dilations,
           axes.padding_before, axes.padding_after},
          attributes,
          engine,
          forward};
#endif
}

}  // namespace fullconv::bench
