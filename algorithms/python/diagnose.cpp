#include "diagnose.h"

#include "arrays.h"
#include "mutants/diagnosis.h"

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

py::dict diagnose(const Plane& x, const Plane& k, const Plane& y, const char kind,
                  const std::size_t itemsize) {
  const Problem problem{.H = x.shape(0), .W = x.shape(1), .h = k.shape(0), .w = k.shape(1)};
  validate(problem);
  const testing::Operands<double> operands{problem, elements(x), elements(k)};
  const testing::OwnResult result{extents(y), elements(y), type_of(kind, itemsize)};
  testing::Diagnosis diagnosis;
  {
    const py::gil_scoped_release released;
    diagnosis = testing::diagnose(operands, result);
  }

  py::list explanations;
  for (const auto& [mistake, outputs] : diagnosis.explanations) {
    explanations.append(py::make_tuple(mistake.name, mistake.sentence, outputs));
  }
  py::array_t<bool> wrong(std::vector<py::ssize_t>{0});
  if (!diagnosis.errors.empty()) {
    wrong = py::array_t<bool>({y.shape(0), y.shape(1)});
    std::transform(diagnosis.errors.begin(), diagnosis.errors.end(), wrong.mutable_data(),
                   [&](double error) { return !diagnosis.right && error > 1; });
  }
  py::dict found;
  found["right"] = diagnosis.right;
  found["error"] = diagnosis.error_in_bounds;
  found["bound"] = diagnosis.bound;
  found["wrong"] = wrong;
  found["explanations"] = explanations;
  return found;
}

}  // namespace

void define_diagnose(py::module_& m) { m.def("diagnose", diagnose); }

}  // namespace fullconv::python
