SELECT `each`.`hour`, count(*) AS `count_1` 
FROM (SELECT CAST(floor(CAST(CASE WHEN (abs(unix_micros(`landed`.`c0`) / CAST(1.0000000000000000e+06 AS FLOAT64)) < 1.0000000000000000e+11) THEN CAST(round((unix_micros(`landed`.`c0`) / CAST(1.0000000000000000e+06 AS FLOAT64)) * 1.0000000000000000e+06) AS INT64) END AS FLOAT64) / CAST(3.6000000000000000e+09 AS FLOAT64)) AS INT64) AS `hour` 
FROM (SELECT `said`.`c0` AS `c0` 
FROM (SELECT `predictions`.`ts` AS `c0`, `predictions`.`id` AS `k0` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-02 21:00:00.250000+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-03 00:00:00.250000+00:00') AS `said` JOIN (SELECT DISTINCT `labels`.`id` AS `k0` 
FROM `labels` 
WHERE `labels`.`known_at` >= TIMESTAMP '2013-04-02 23:00:00.250001+00:00' AND `labels`.`known_at` < TIMESTAMP '2013-04-03 00:00:00.250001+00:00') AS `fresh` ON `said`.`k0` = `fresh`.`k0`) AS `landed`) AS `each` GROUP BY `each`.`hour`;

