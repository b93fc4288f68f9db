// Takes over what may change while the program runs.
#include "config/keys.hpp"

namespace verbatim::config {

Reloaded reload(const Settings& running, const Settings& fresh) {
  Reloaded next{running, {}, {}};
  next.settings.warnings = fresh.warnings;
  for (const Key& key : keys()) {
    const bool live = key.reload == Reload::live;
    // Always: a value may have parts that are not printed, such as the content of a file.
    if (live) key.copy(next.settings, fresh);
    // A secret and its file have one field.
    if (key.role == Role::secret_file || key.same(running, fresh)) continue;
    (live ? next.changed : next.need_restart).push_back(key.name);
  }
  return next;
}

}  // namespace verbatim::config
