-- loses: nothing
drop function market.apply_quotes();
drop function market.apply_trades();
drop function market.apply_ticks(text, text);
