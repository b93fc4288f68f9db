// The tables of metrics, and the page that a scrape makes of them.
#include "server/relay/metrics.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "server/relay/http_metrics.hpp"
#include "server/relay/metric_family.hpp"
#include "server/webhooks/webhook_metrics.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::relay;
using namespace verbatim::webhooks;

namespace {

std::string page_text(const Metrics& metrics, std::size_t live_sessions = 0,
                      std::size_t recovering_sessions = 0) {
  MetricsPage page;
  metrics.add_metrics(page, live_sessions, recovering_sessions);
  return page.text();
}

/// Values by name and labels.
std::map<std::string, double> samples_of(const std::string& text) {
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.rfind(' ');
    samples[line.substr(0, space)] = std::stod(line.substr(space));
  }
  return samples;
}

}  // namespace

TEST_CASE("a row of a table becomes a family with its help, its type and its samples",
          "[metrics]") {
  struct Source {
    int value;
  };
  constexpr MetricFamily<Source> rows[] = {
      {"a_total", "Help of a.", MetricType::counter,
       [](const Source& source, MetricSamples& out) { out.add(source.value); }},
      {"b", "Help of b.", MetricType::gauge,
       [](const Source& source, MetricSamples& out) {
         out.add({{"k", "v"}, {"l", "w"}}, source.value + 0.5);
         out.add({{"k", "x"}}, true);
       }},
      {"c", "Help of c.", MetricType::histogram,
       [](const Source&, MetricSamples& out) {
         out.add_histogram({}, {1, 2}, {3, 0, 4}, 12.5);
       }},
  };
  MetricsPage page;
  page.add(rows, Source{7});
  CHECK(page.text() ==
        "# HELP a_total Help of a.\n# TYPE a_total counter\na_total 7\n"
        "# HELP b Help of b.\n# TYPE b gauge\nb{k=\"v\",l=\"w\"} 7.5\nb{k=\"x\"} 1\n"
        "# HELP c Help of c.\n# TYPE c histogram\nc_count 7\nc_sum 12.5\n"
        "c_bucket{le=\"1\"} 3\nc_bucket{le=\"2\"} 3\nc_bucket{le=\"+Inf\"} 7\n");
}

TEST_CASE("each close reason is counted under its own name, and nothing else is", "[P2][metrics]") {
  for (const transcript::CloseReasonRow& row : transcript::close_reasons) {
    Metrics metrics(2);
    const auto before = samples_of(page_text(metrics));
    metrics.tally(1).session_ended(row.reason, {.complete = true});
    auto expected = before;
    expected["verbatim_sessions_ended_total{reason=\"" + std::string(row.name) + "\"}"] = 1;
    CHECK(samples_of(page_text(metrics)) == expected);
    CHECK(expected.size() == before.size());
  }
}

TEST_CASE("a page adds up what the workers have counted", "[metrics]") {
  Metrics metrics(2);
  metrics.tally(0).relayed(Way::to_client, protocol::MessageKind::audio, 100, 60);
  metrics.tally(1).relayed(Way::to_client, protocol::MessageKind::audio, 20, 400);
  metrics.tally(1).sessions_detached.add();
  metrics.tally(0).not_admitted(AdmissionLimit::journal_bytes);
  metrics.tally(0).response_ended(transcript::ResponseStatus::other, "words of a provider", 3);
  auto samples = samples_of(page_text(metrics, 3, 4));
  const std::string to_client = "{direction=\"to_client\",kind=\"audio\"";
  CHECK(samples.at("verbatim_messages_total" + to_client + "}") == 2);
  CHECK(samples.at("verbatim_message_bytes_total" + to_client + "}") == 120);
  CHECK(samples.at("verbatim_relay_delay_seconds_count" + to_client + "}") == 2);
  CHECK(samples.at("verbatim_relay_delay_seconds_bucket" + to_client + ",le=\"0.0001\"}") == 1);
  CHECK(samples.at("verbatim_sessions{state=\"detached\"}") == 1);
  CHECK(samples.at("verbatim_sessions{state=\"live\"}") == 2);
  CHECK(samples.at("verbatim_sessions{state=\"recovering\"}") == 4);
  CHECK(samples.at("verbatim_admissions_refused_total{limit=\"journal_bytes\"}") == 1);
  CHECK(samples.at("verbatim_responses_total{status=\"other\",reason=\"other\"}") == 3);
}

TEST_CASE("each metric has a name of ours, a help sentence and one place on the page",
          "[metrics]") {
  MetricsPage page;
  Metrics(1).add_metrics(page, 0, 0);
  add_memory_metrics(page, {}, {}, {});
  add_webhook_metrics(page, {{"crm"}});
  std::map<std::string, int> helped;
  std::istringstream lines(page.text());
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    std::istringstream words(line);
    std::string hash, what, name, rest;
    words >> hash >> what >> name;
    std::getline(words, rest);
    if (hash != "#") continue;
    CHECK(name.rfind("verbatim_", 0) == 0);
    if (what == "HELP") {
      ++helped[name];
      CHECK(rest.back() == '.');
    } else {
      const bool counter = rest == " counter";
      const bool named_total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
      CHECK(counter == named_total);
    }
  }
  CHECK(helped.size() > 30);
  for (const auto& [name, times] : helped) {
    INFO(name);
    CHECK(times == 1);
  }
}
