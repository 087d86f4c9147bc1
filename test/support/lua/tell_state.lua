--- @include "base"
--- @include "order"
-- As a script does that writes a state.
tell_state(ARGV[1])
