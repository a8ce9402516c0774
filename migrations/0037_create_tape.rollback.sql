-- loses: nothing
drop function api.quote_tape(timestamptz, integer);
drop function api.trade_tape(timestamptz, integer);
