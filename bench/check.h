#pragma once

#include <map>
#include <string>
#include <vector>

#include "accuracy.h"
#include "operand_files.h"
#include "result_check.h"
#include "support/case.h"
#include "table.h"

namespace fullconv::cli {

/// Runs algorithms, compares each with the oracle and with each other, and prints a table a case.
class Checker {
 public:
  /// `auto` is asked for what the options say.
  Checker(std::vector<const Algorithm*> algorithms, const PlanOptions& options)
      : algorithms_(std::move(algorithms)), options_(options) {}

  /// Both scalars of each. Memory is seen to for all before the first runs.
  void check(const std::vector<testing::Case>& cases);

  /// The scalar that the files hold.
  void check(OperandFiles& files, const std::string& title);

  /// Prints how many results there are of each kind; whether none is wrong.
  bool summarise();

 private:
  struct Report;

  template <class T>
  void check(const testing::Operands<T>& operands, Report& report);
  template <class T>
  void require_memory_for(const Problem& problem) const;

  std::vector<const Algorithm*> algorithms_;
  PlanOptions options_;
  std::map<Outcome, int> counts_;
};

}  // namespace fullconv::cli
