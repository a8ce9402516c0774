-- depends: 0013_create_policy_setting
-- purpose: twenty years of ticks are chunks that a server's default lock table holds
-- lock: none; chunks that are there keep their length
set local role market_owner;

update market.policy_setting
set
    span = interval '7 days',
    reason = 'a statement over all ticks locks each chunk and each of its indexes. 7,300 days are '
    '1,043 chunks, which a default server''s lock table holds; of one day they would be 7,300, and '
    'a count over twelve years fails there. With tens of millions of rows a day: 1 day, and locks'
where policy = 'chunk' and relation in ('trade', 'quote') and span = interval '1 day';
