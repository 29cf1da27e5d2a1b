#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "fullconv/problem.h"

// An ONNX model of one node, ConvTranspose, as the bytes of a file. It is a message of Protocol
// Buffers: fields, each a number and its value, where a value may be a message itself. Numbers are
// those of onnx.proto.
namespace fullconv::bench::onnx {

/// A message that is being written.
class Message {
 public:
  Message& add(int field, std::int64_t value) {
    constexpr unsigned kVarint = 0;
    put(static_cast<std::uint64_t>(field) << 3 | kVarint);
    put(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& add(int field, std::string_view value) {
    constexpr unsigned kBytes = 2;
    put(static_cast<std::uint64_t>(field) << 3 | kBytes);
    put(value.size());
    bytes_ += value;
    return *this;
  }
  Message& add(int field, const Message& value) {
    return add(field, std::string_view(value.bytes_));
  }

  const std::string& bytes() const { return bytes_; }

 private:
  /// Seven bits a byte, the lowest first; the eighth says that there are more.
  void put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// AttributeProto of type INTS.
inline Message integers(std::string_view name, std::initializer_list<index_t> values) {
  constexpr int kName = 1, kInts = 8, kType = 20, kTypeInts = 7;
  Message attribute;
  attribute.add(kName, name);
  for (const index_t value : values) attribute.add(kInts, value);
  return attribute.add(kType, kTypeInts);
}

/// AttributeProto of type INT.
inline Message integer(std::string_view name, index_t value) {
  constexpr int kName = 1, kInt = 3, kType = 20, kTypeInt = 2;
  return Message().add(kName, name).add(kInt, value).add(kType, kTypeInt);
}

/// ValueInfoProto of a tensor of floats.
inline Message tensor(std::string_view name, const Extents& extents) {
  constexpr int kName = 1, kType = 2;                // ValueInfoProto
  constexpr int kTensorType = 1;                     // TypeProto
  constexpr int kElementType = 1, kShape = 2;        // TypeProto.Tensor
  constexpr int kDimension = 1, kDimensionSize = 1;  // TensorShapeProto
  constexpr int kFloat = 1;
  Message shape;
  for (const index_t extent : extents) {
    shape.add(kDimension, Message().add(kDimensionSize, extent));
  }
  const Message type = Message().add(kElementType, kFloat).add(kShape, shape);
  return Message().add(kName, name).add(kType, Message().add(kTensorType, type));
}

/// TensorProto of dense floats, in this processor's order of bytes: that of little-endian ones.
inline Message constant(std::string_view name, const Extents& extents, const float* elements) {
  constexpr int kDimension = 1, kElementType = 2, kName = 8, kRawData = 9;
  constexpr int kFloat = 1;
  Message tensor;
  std::size_t bytes = sizeof(float);
  for (const index_t extent : extents) {
    tensor.add(kDimension, extent);
    bytes *= static_cast<std::size_t>(extent);
  }
  const std::string_view raw(reinterpret_cast<const char*>(elements), bytes);
  return tensor.add(kElementType, kFloat).add(kName, name).add(kRawData, raw);
}

/// y = ConvTranspose(x, k) of that layer. `weights` make k a constant, null an input.
inline std::string conv_transpose(const Problem& problem, const float* weights = nullptr) {
  constexpr int kInput = 1, kOutput = 2, kOperator = 4, kAttribute = 5;  // NodeProto
  constexpr int kNode = 1, kName = 2, kInitializer = 5, kGraphInput = 11, kGraphOutput = 12;
  constexpr int kIrVersion = 1, kGraph = 7, kOperatorSet = 8, kSetVersion = 2;  // ModelProto
  const auto& [top, left, bottom, right] = problem.padding;
  const Message node =
      Message()
          .add(kInput, "x")
          .add(kInput, "k")
          .add(kOutput, "y")
          .add(kOperator, "ConvTranspose")
          .add(kAttribute, integers("kernel_shape", {problem.h, problem.w}))
          .add(kAttribute, integers("strides", {problem.stride.y, problem.stride.x}))
          .add(kAttribute, integers("dilations", {problem.dilation.y, problem.dilation.x}))
          .add(kAttribute, integers("pads", {top, left, bottom, right}))
          .add(kAttribute,
               integers("output_padding", {problem.output_padding.y, problem.output_padding.x}))
          .add(kAttribute, integer("group", problem.groups));
  Message graph;  // GraphProto
  graph.add(kNode, node)
      .add(kName, "layer")
      .add(kGraphInput, tensor("x", problem.x_extents()))
      .add(kGraphOutput, tensor("y", problem.y_extents()));
  if (weights == nullptr) {
    graph.add(kGraphInput, tensor("k", problem.k_extents()));
  } else {
    graph.add(kInitializer, constant("k", problem.k_extents(), weights));
  }
  constexpr int kIrOf2019 = 6, kOperatorSetOf2019 = 11;
  return Message()
      .add(kIrVersion, kIrOf2019)
      .add(kGraph, graph)
      .add(kOperatorSet, Message().add(kSetVersion, kOperatorSetOf2019))
      .bytes();
}

}  // namespace fullconv::bench::onnx
