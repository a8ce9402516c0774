-- loses: nothing; new chunks of ticks are a day long again once make migrate has applied it
set local role market_owner;

update market.policy_setting
set
    span = interval '1 day',
    reason = 'a busy day of 1,000 symbols is some tens of millions of rows; corrections touch one '
    'chunk'
where policy = 'chunk' and relation in ('trade', 'quote') and span = interval '7 days';
