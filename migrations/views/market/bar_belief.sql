-- depends: functions/market/create_belief functions/access/describe_view
call market.create_belief('bar');
