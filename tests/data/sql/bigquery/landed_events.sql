SELECT `each`.`hour`, count(*) AS `count_1` 
FROM (SELECT CAST(floor(CAST(CAST(round((unix_micros(timestamp(`landed`.`c0`)) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) AS FLOAT64) / CAST(3.6000000000000000e+09 AS FLOAT64)) AS INT64) AS `hour` 
FROM (SELECT `known`.`c0` AS `c0` 
FROM (SELECT `said`.`c0` AS `c0` 
FROM (SELECT `predictions`.`naive` AS `c0`, `predictions`.`id` AS `k0`, CAST(round((unix_micros(timestamp(`predictions`.`naive`)) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) AS `moment` 
FROM `logs`.`predictions` 
WHERE `predictions`.`naive` >= DATETIME '2013-04-02 21:00:00.250000' AND `predictions`.`naive` < DATETIME '2013-04-03 00:00:00.250000' AND NOT (`predictions`.`naive` >= DATETIME '2013-04-02 21:00:00.250001' AND `predictions`.`naive` < DATETIME '2013-04-02 22:00:00.250001')) AS `said` JOIN (SELECT `labels`.`id` AS `k0`, CAST(round((unix_micros(`labels`.`known_at`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) AS `moment`, max(CAST(round((unix_micros(`labels`.`known_at`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64)) OVER (PARTITION BY `labels`.`id` ORDER BY CAST(round((unix_micros(`labels`.`known_at`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS `before` 
FROM `labels` 
WHERE collate(`labels`.`zulu`, '') >= '2013-04-02T23' AND rtrim(collate(`labels`.`zulu`, ''), 'Zz') >= '2013-04-02T23:00:00.250001' AND rtrim(collate(`labels`.`zulu`, ''), 'Zz') < '2013-04-03T00:00:00.250001') AS `fresh` ON `said`.`k0` = `fresh`.`k0` 
WHERE `fresh`.`moment` >= `said`.`moment` AND `fresh`.`moment` - `said`.`moment` <= 3600000000 AND (`fresh`.`before` IS NULL OR `said`.`moment` > `fresh`.`before`) UNION ALL SELECT `predictions`.`naive` AS `c0` 
FROM `logs`.`predictions` 
WHERE `predictions`.`naive` >= DATETIME '2013-04-02 21:00:00.250001' AND `predictions`.`naive` < DATETIME '2013-04-02 22:00:00.250001') AS `known`) AS `landed`) AS `each` GROUP BY `each`.`hour`;

