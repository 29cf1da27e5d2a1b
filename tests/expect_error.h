#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fullconv::testing {

/// One line of text that names the offender: every part must occur in it.
inline void expect_one_line(std::string_view text, std::initializer_list<std::string_view> parts) {
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text.find('\n'), std::string_view::npos) << text;
  for (const auto part : parts) {
    EXPECT_NE(text.find(part), std::string_view::npos) << "no '" << part << "' in: " << text;
  }
}

/// Demands that `action` throws an Error whose message is such a line.
template <class Error, class Action>
void expect_error(const Action& action, std::initializer_list<std::string_view> parts) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    expect_one_line(error.what(), parts);
  }
}

}  // namespace fullconv::testing
