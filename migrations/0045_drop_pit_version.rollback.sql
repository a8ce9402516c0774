-- loses: nothing; make migrate of an older release makes its function again
set local role market_owner;
