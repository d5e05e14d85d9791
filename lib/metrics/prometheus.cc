#include "metrics/prometheus.h"

#include <vector>

#include "metrics/names.h"
#include "metrics/text.h"

namespace weir::metrics {
namespace {

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

class MeterWriter {
 public:
  MeterWriter(const Entry& entry, const Meter& meter, TextFormat format, std::string* out)
      : entry_(entry),
        meter_(meter),
        open_metrics_(format == TextFormat::kOpenMetrics),
        out_(out),
        words_(meter.point_words) {
    for (const uint64_t bound : meter.spec.bounds) {
      std::string& text = bounds_.emplace_back();
      AppendDecimal(bound, meter.spec.scale, &text);
      if (open_metrics_) text = CanonicalFloat(text);
    }
    bounds_.emplace_back("+Inf");
    points_.resize(meter.points);
    for (size_t point = 0; point < meter.spec.points.size(); ++point) {
      for (size_t i = 0; i < meter.labels.size(); ++i) {
        AppendLabel(meter.labels[i], meter.spec.points[point][i], &points_[point]);
      }
    }
  }

  void Write(const std::vector<const Series*>& all, const Reading& reading) {
    for (const Series* series : all) {
      bool is_labelled = false;
      for (size_t point = 0; point < meter_.points; ++point) {
        reading.Read(*series, meter_, point, words_.data());
        if (!entry_.is_lone() && IsIdle(meter_, words_.data())) continue;
        if (!is_labelled) WriteSeriesLabels(*series);
        is_labelled = true;
        WritePoint(point);
      }
    }
  }

 private:
  static void AppendLabel(std::string_view name, std::string_view value, std::string* out) {
    if (!out->empty()) out->push_back(',');
    out->append(name).append("=\"");
    AppendLabelValue(value, out);
    out->push_back('"');
  }

  void WriteSeriesLabels(const Series& series) {
    labels_.clear();
    for (size_t i = 0; i < entry_.labels().size(); ++i) {
      AppendLabel(entry_.labels()[i], series.label(i), &labels_);
    }
  }

  void WriteComments() {
    // OpenMetrics names the family without its counters' suffix.
    std::string_view family = meter_.name;
    if (open_metrics_ && meter_.spec.kind == Kind::kCounter) {
      family.remove_suffix(std::string_view("_total").size());
    }
    out_->append("# HELP ").append(family).append(" ");
    AppendHelp(meter_.spec.help, open_metrics_, out_);
    out_->append("\n# TYPE ").append(family).append(" ");
    out_->append(KindName(meter_.spec.kind)).append("\n");
    const std::string unit = UnitWords(meter_.spec.unit, meter_.spec.kind);
    if (open_metrics_ && !unit.empty() && EndsWith(family, "_" + unit)) {
      out_->append("# UNIT ").append(family).append(" ").append(unit).append("\n");
    }
  }

  // The start of a line: name, suffix, labels, blank. `le` is empty where there is none.
  void WriteHead(std::string_view suffix, const std::string& point, std::string_view le) {
    out_->append(meter_.name).append(suffix);
    if (!labels_.empty() || !point.empty() || !le.empty()) {
      out_->push_back('{');
      out_->append(labels_);
      if (!point.empty()) out_->append(labels_.empty() ? "" : ",").append(point);
      if (!le.empty()) {
        out_->append(labels_.empty() && point.empty() ? "le=\"" : ",le=\"").append(le).append("\"");
      }
      out_->push_back('}');
    }
    out_->push_back(' ');
  }

  void WriteGauge(int64_t value) {
    if (value < 0) out_->push_back('-');
    const auto bits = static_cast<uint64_t>(value);
    AppendDecimal(value < 0 ? -bits : bits, meter_.spec.scale, out_);
  }

  void WritePoint(size_t point) {
    if (!has_comments_) WriteComments();
    has_comments_ = true;
    const std::string& own = points_[point];
    if (meter_.spec.kind == Kind::kHistogram) return WriteHistogram(own);
    WriteHead({}, own, {});
    if (meter_.spec.kind == Kind::kGauge) {
      WriteGauge(static_cast<int64_t>(words_[0]));
    } else {
      AppendDecimal(SumOf(words_.data()), meter_.spec.scale, out_);
    }
    out_->push_back('\n');
  }

  void WriteHistogram(const std::string& own) {
    const uint64_t* exemplar = open_metrics_ ? ExemplarOf(meter_, words_.data()) : nullptr;
    uint128 count = 0;
    for (size_t i = 0; i < bounds_.size(); ++i) {
      count += words_[i];
      WriteHead("_bucket", own, bounds_[i]);
      AppendInteger(count, out_);
      const bool is_last = i == meter_.spec.bounds.size();
      if (exemplar != nullptr && (is_last || exemplar[3] <= meter_.spec.bounds[i])) {
        WriteExemplar(exemplar);
        exemplar = nullptr;
      }
      out_->push_back('\n');
    }
    WriteHead("_sum", own, {});
    AppendDecimal(SumOf(words_.data() + meter_.sum_word()), meter_.spec.scale, out_);
    out_->push_back('\n');
    WriteHead("_count", own, {});
    AppendInteger(count, out_);
    out_->push_back('\n');
  }

  void WriteExemplar(const uint64_t* exemplar) {
    out_->append(" # {trace_id=\"");
    AppendHex(exemplar[0], out_);
    AppendHex(exemplar[1], out_);
    out_->append("\",span_id=\"");
    AppendHex(exemplar[2], out_);
    out_->append("\"} ");
    AppendDecimal(exemplar[3], meter_.spec.scale, out_);
    out_->push_back(' ');
    AppendDecimal(exemplar[4], 1'000'000'000, out_);
  }

  const Entry& entry_;
  const Meter& meter_;
  const bool open_metrics_;
  std::string* out_;
  PointWords words_;
  std::vector<std::string> bounds_;  // as `le` says them
  std::vector<std::string> points_;  // labels of each point, without braces
  std::string labels_;               // of the series at hand
  bool has_comments_ = false;
};

}  // namespace

void WriteText(const Entry& entry, const Arena& arena, const Reading& reading, TextFormat format,
               std::string* out) {
  const std::vector<const Series*> all = entry.Sorted(arena);
  for (const Meter& meter : entry.meters()) {
    MeterWriter(entry, meter, format, out).Write(all, reading);
  }
}

}  // namespace weir::metrics
