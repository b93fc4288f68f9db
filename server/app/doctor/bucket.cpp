// Examines the bucket for recordings: the connection, the keys, the bucket's name and its region.
#include "server/app/doctor/diagnosis.hpp"
#include "server/bucket/objects.hpp"
#include "server/bucket/uploads.hpp"

namespace verbatim::app {

void examine_bucket(const Examined& relay, Diagnoses& found) {
  const auto objects = bucket::objects_of(relay.settings.bucket);
  if (!objects) return;
  const std::string place = bucket::place_of(relay.settings.bucket);
  const auto failure = objects->look([] { return false; });
  if (!failure) {
    found.push_back({"bucket", Health::good,
                     place + " accepts the keys. No object was written: the right to write is not "
                             "checked.",
                     ""});
    return;
  }
  found.push_back(
      {"bucket", Health::bad, place + ": " + failure->why,
       "Recordings stay on this machine until the bucket takes them. Check the "
       "recording.s3_ settings and the network; docs/recording.md lists the rights that "
       "the key needs."});
}

}  // namespace verbatim::app
