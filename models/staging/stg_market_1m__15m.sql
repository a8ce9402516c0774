{{ minutes_by_bar(ref('feature_1m'), '15 minutes') }}
