-- depends: 0013_create_policy_setting
-- purpose: ticks stay until an operator says otherwise, and refreshes reach all that is accepted
-- lock: none but of rows; the policies follow, as these have changed
-- Rows that somebody changed stay as they are.
set local role market_owner;

delete from market.policy_setting
where
    relation in ('trade', 'quote')
    and policy = 'retention'
    and span = interval '7300 days'
    and reason like 'raw ticks are what every version is rebuilt from%';

update market.policy_setting
set
    span = interval '36500 days',
    reason = 'only invalidated ranges are recomputed: a window over all that was ever accepted is '
    'cheap and catches every late tick; a retention of the ticks ends it'
where policy = 'refresh' and span = interval '7200 days';

comment on column market.policy_setting.policy is
'chunk: length of a chunk. refresh: window that the job keeps materialized. columnstore: age at '
'which a chunk becomes columnar. retention: age at which it is dropped; without a row it stays. '
'Of trade and quote it also says which ticks are accepted: market.earliest_accepted().';
comment on column market.policy_setting.span is
'chunk: length. refresh: how far back from now the window starts, at most as far as a retention '
'lets it (market.refresh_reach()). columnstore, retention: age.';
