{{ minutes_by_bar(ref('feature_1m'), '5 minutes') }}
