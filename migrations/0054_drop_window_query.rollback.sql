-- loses: nothing; make migrate of an older release makes its functions again
set local role market_owner;
