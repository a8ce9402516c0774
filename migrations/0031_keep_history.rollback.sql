-- loses: nothing at once; ticks older than 7300 days when the retention job runs next
set local role market_owner;

insert into market.policy_setting (relation, policy, span, reason)
select
    relation,
    'retention' as policy,
    interval '7300 days' as span,
    'raw ticks are what every version is rebuilt from, and replayed history must stay; a shorter '
    'one wants a shorter refresh window'
        as reason
from unnest(array['trade', 'quote']) as r (relation)
on conflict (relation, policy) do nothing;

update market.policy_setting
set
    span = interval '7200 days',
    reason = 'only invalidated ranges are recomputed: a long window is cheap and catches every '
    'late tick; it ends before retention, where a refresh would delete what dropped ticks left'
where policy = 'refresh' and span = interval '36500 days';
