-- loses: nothing
drop function api.latest_quote(text[]);
drop function api.latest_trade(text[]);
