output "bucket_name" {
  description = "bucket_name in the app's secrets, S3_BACKUP_BUCKET in the environment."
  value       = aws_s3_bucket.state.bucket
}

output "region" {
  description = "region in the app's secrets."
  value       = var.region
}

output "prefix" {
  description = "prefix in the app's secrets."
  value       = var.prefix
}

output "kms_key_id" {
  description = "kms_key_id in the app's secrets; null without a key of your own."
  value       = var.kms_key_arn == "" ? null : var.kms_key_arn
}

output "export_bucket_name" {
  description = "S3_EXPORT_BUCKET in the app's environment; null without a second bucket."
  value       = one(aws_s3_bucket.exports[*].bucket)
}

output "public_address" {
  description = "public_address in the app's secrets, table [exports]; null without a distribution."
  value       = one([for one in aws_cloudfront_distribution.exports : "https://${one.domain_name}/${var.prefix}"])
}

output "user_name" {
  description = "The user to make an access key for; null with a role."
  value       = one(aws_iam_user.app[*].name)
}

output "role_arn" {
  description = "The role to run the app with; null with a user."
  value       = one(aws_iam_role.app[*].arn)
}

output "instance_profile_name" {
  description = "The profile to start the machine with; null where none is needed."
  value       = one(aws_iam_instance_profile.app[*].name)
}
