// Declares the settings of the repair of failed transcriptions.
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

std::vector<Key> make_repair_keys() {
  std::vector<Key> table{
      key("repair.url", &S::repair, &Repair::url, {}, engine_url(),
          "A server that transcribes again what the provider could not: a turn of the user that "
          "failed, or stayed empty although speech was recorded (docs/recording.md). It speaks "
          "OpenAI's API: /v1/audio/transcriptions is added unless the path ends so. The recorded "
          "utterance is sent there. Empty: nothing is repaired."),
      key("repair.model", &S::repair, &Repair::model, "whisper-1",
          name("a name of up to 256 bytes"), "The engine's model. Every engine demands one."),
  };
  add_secret(table, "repair.key", &S::repair, &Repair::key, "/run/secrets/repair-key",
             "The engine's key, sent as `Authorization: Bearer`. None: no such header.");
  table.push_back(key("repair.fallback_url", &S::repair, &Repair::fallback_url, {}, engine_url(),
                      "A second engine, asked at once if the first one fails or answers nothing: "
                      "the same engine often gives the same empty answer again. Empty: none."));
  table.push_back(key("repair.fallback_model", &S::repair, &Repair::fallback_model, "whisper-1",
                      name("a name of up to 256 bytes"), "The second engine's model."));
  add_secret(table, "repair.fallback_key", &S::repair, &Repair::fallback_key,
             "/run/secrets/repair-fallback-key",
             "The second engine's key, sent in the same way. None: no such header.");
  for (Key& one : std::vector<Key>{
           key("repair.allow_private", &S::repair, &Repair::allow_private, false, boolean(),
               "Whether the engines may have an address of this machine or of a private network, "
               "and http. Speech is sent to them, so a name that resolves to an internal service "
               "must not get it by mistake."),
           key("repair.timeout", &S::repair, &Repair::timeout, 2min, duration(100ms, 30min),
               "Time for one call, from the name lookup to the end of the answer. An engine on a "
               "CPU may need as long as the speech lasts."),
           key("repair.attempts_max", &S::repair, &Repair::attempts_max, 8,
               number<std::size_t>(1, 1000),
               "How often an utterance is tried, about two hours with the pauses below. Each try "
               "may cost money. `verbatim repair` begins again."),
           key("repair.audio_max", &S::repair, &Repair::audio_max, 1h, duration(1s, 1000h),
               "How much speech of one attempt is sent in all tries together, because engines bill "
               "it by its length. The rest is not sent."),
           key("repair.file_bytes_max", &S::repair, &Repair::file_bytes_max, 24 * MiB,
               bytes(64 * 1024, 1024 * MiB),
               "A longer utterance is not sent, and the log says so. OpenAI, Groq and vLLM take "
               "requests of 25 MB, the form around the file included. This is about 8 minutes at "
               "24 "
               "kHz. The file is held in memory twice."),
           key("repair.retry_min", &S::repair, &Repair::retry_min, 1min, duration(10ms, 24h),
               "The pause before the second try. It doubles with each further one, with random "
               "spread. An engine that fails, or asks for a pause, gets no other call meanwhile."),
           key("repair.retry_max", &S::repair, &Repair::retry_max, 1h, duration(10ms, 24h),
               "The longest pause. An answer's Retry-After can lengthen a pause to this at most."),
       })
    table.push_back(std::move(one));
  return table;
}

}  // namespace verbatim::config
