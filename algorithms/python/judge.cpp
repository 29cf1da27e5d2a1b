#include "judge.h"

#include "arrays.h"
#include "mutants/verdict.h"

namespace fullconv::python {
namespace {

using Plane = py::array_t<double, py::array::c_style | py::array::forcecast>;

std::vector<double> elements(const Plane& plane) {
  return {plane.data(), plane.data() + plane.size()};
}

testing::ResultType type_of(const char kind, const std::size_t itemsize) {
  if (kind == 'f') return testing::floating_type(itemsize);
  return testing::integer_type(itemsize, kind == 'i');
}

py::dict judge(const Plane& x, const Plane& k, const Plane& y, const char kind,
               const std::size_t itemsize) {
  const Problem problem{.H = x.shape(0), .W = x.shape(1), .h = k.shape(0), .w = k.shape(1)};
  validate(problem);
  const testing::Operands<double> operands{problem, elements(x), elements(k)};
  const testing::OwnResult result{extents(y), elements(y), type_of(kind, itemsize)};
  testing::Verdict verdict;
  {
    const py::gil_scoped_release released;
    verdict = testing::judge(operands, result);
  }

  py::list explanations;
  for (const auto& [mistake, outputs] : verdict.explanations) {
    explanations.append(py::make_tuple(mistake.name, mistake.sentence, outputs));
  }
  py::array_t<bool> wrong(std::vector<py::ssize_t>{0});
  if (!verdict.errors.empty()) {
    wrong = py::array_t<bool>({y.shape(0), y.shape(1)});
    std::transform(verdict.errors.begin(), verdict.errors.end(), wrong.mutable_data(),
                   [&](double error) { return !verdict.right && error > 1; });
  }
  py::dict found;
  found["right"] = verdict.right;
  found["error"] = verdict.error_in_bounds;
  found["bound"] = verdict.bound;
  found["wrong"] = wrong;
  found["explanations"] = explanations;
  return found;
}

}  // namespace

void define_judge(py::module_& m) { m.def("judge", judge); }

}  // namespace fullconv::python
