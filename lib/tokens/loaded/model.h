// What turns a piece of text, as the pre-tokenizer cut it, into token ids.

#ifndef WEIR_LIB_TOKENS_LOADED_MODEL_H_
#define WEIR_LIB_TOKENS_LOADED_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::tokens {

// Where ids go: counted, and kept if a vector is given.
class IdSink {
 public:
  explicit IdSink(std::vector<uint32_t>* ids) : ids_(ids) {}
  void Put(uint32_t id) {
    ++count_;
    if (ids_ != nullptr) ids_->push_back(id);
  }
  size_t count() const { return count_; }

 private:
  std::vector<uint32_t>* ids_;
  size_t count_ = 0;
};

// Memory that a model reuses from piece to piece of one call.
class ModelScratch {
 public:
  virtual ~ModelScratch() = default;
};

class Model {
 public:
  virtual ~Model() = default;
  // The ids of `piece`, which is well-formed UTF-8 and not empty. `scratch` is one of MakeScratch.
  virtual void Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const = 0;
  virtual std::unique_ptr<ModelScratch> MakeScratch() const = 0;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_MODEL_H_
